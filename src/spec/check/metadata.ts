import { LIMITS } from '../../core/limits.ts'
import type { Loose } from '../loose.ts'
import type { DagDocument } from '../schema/dag.ts'
import { shown } from '../shape.ts'
import type { Path } from '../source.ts'
import { asLabel, isLabel, type Report } from './words.ts'

/** Longest name of an object that makes no label. */
const OBJECT_NAME_LENGTH_MAX = 253

/** Name and namespace. A DAG's name becomes a label value on its pods, so it is shorter than Kubernetes would allow. */
export function checkMetadata(
  metadata: Loose<DagDocument>['metadata'],
  kind: 'DAG' | 'DagRun' | 'DagTask',
  report: Report,
): void {
  if (metadata === undefined) return
  const { name, generateName, namespace } = metadata
  const path: Path = ['metadata', 'name']
  if (name === undefined || name === '') {
    const generated = kind === 'DagRun' && generateName !== undefined && generateName !== ''
    if (!generated)
      report({ code: 'FIELD_MISSING', path, message: 'metadata.name is missing', fix: `name the ${kind}` })
  } else {
    const max = kind === 'DAG' ? LIMITS.nameLengthMax : OBJECT_NAME_LENGTH_MAX
    const valid = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/.test(name)
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
}
