import { LIMITS } from '../../core/limits.ts'
import type { Loose } from '../loose.ts'
import type { DagDocument } from '../schema/dag.ts'
import { shown } from '../shape.ts'
import type { Path } from '../source.ts'
import { asLabel, isLabel, type Report } from './words.ts'

/** Longest name of an object that makes no label. */
const OBJECT_NAME_LENGTH_MAX = 253

/** Name, namespace and labels. A DAG's name becomes a label value on its pods: it is shorter than Kubernetes allows. */
export function checkMetadata(
  metadata: Loose<DagDocument>['metadata'],
  kind: 'DAG' | 'DagRun' | 'DagTask',
  report: Report,
): void {
  if (metadata === undefined) return
  const { name, generateName, namespace, labels = {} } = metadata
  const path: Path = ['metadata', 'name']
  if (name === undefined || name === '') {
    const generated = kind === 'DagRun' && generateName !== undefined && generateName !== ''
    if (!generated)
      report({ code: 'FIELD_MISSING', path, message: 'metadata.name is missing', fix: `name the ${kind}` })
  } else {
    const max = kind === 'DAG' ? LIMITS.nameLengthMax : OBJECT_NAME_LENGTH_MAX
    const valid = SUBDOMAIN.test(name)
    if (name.length > max) {
      report({
        code: 'NAME_INVALID',
        path,
        message: `the name of the ${kind} is longer than ${max} characters`,
        fix: `shorten it to at most ${max} characters`,
      })
    } else if (!valid) {
      report({
        code: 'NAME_INVALID',
        path,
        message: `the name ${shown(name)} may hold only lower-case letters, digits, dots and dashes`,
        fix: `call it ${asLabel(name)}`,
      })
    }
  }
  if (namespace !== undefined && !isLabel(namespace)) {
    report({
      code: 'NAME_INVALID',
      path: ['metadata', 'namespace'],
      message: `the namespace ${shown(namespace)} may hold only lower-case letters, digits and -`,
      fix: `use a namespace such as ${asLabel(namespace)}`,
    })
  }
  checkLabels(labels, report)
}

/** Labels of a run are those of its DagRun and of its pods. */
export function checkLabels(labels: Readonly<Record<string, string | undefined>>, report: Report): void {
  for (const [name, value] of Object.entries(labels)) {
    const path: Path = ['metadata', 'labels', name]
    const [prefix, own] = name.includes('/') ? split(name) : [null, name]
    if (!isLabelText(own) || (prefix !== null && !isSubdomain(prefix))) {
      report({
        code: 'LABEL_INVALID',
        path,
        message: `the label ${shown(name)} does not have the form that Kubernetes asks for`,
        fix: 'use at most 63 letters, digits, -, _ and ., perhaps after a domain and a slash: example.com/team',
      })
    } else if (value !== undefined && value !== '' && !isLabelText(value)) {
      report({
        code: 'LABEL_INVALID',
        path,
        message: `the label ${name} cannot have the value ${shown(value)}`,
        fix:
          'use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends; ' +
          'or make it an annotation',
      })
    }
  }
}

const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/

const isSubdomain = (text: string): boolean => text.length <= OBJECT_NAME_LENGTH_MAX && SUBDOMAIN.test(text)

/** Both the name of a label, after its prefix, and its value. */
const isLabelText = (text: string): boolean => /^[a-z0-9](?:[-\w.]{0,61}[a-z0-9])?$/i.test(text)

function split(name: string): readonly [prefix: string, own: string] {
  const slash = name.indexOf('/')
  return [name.slice(0, slash), name.slice(slash + 1)]
}
