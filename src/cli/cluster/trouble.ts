import { type ApiProblem, isProblem } from '../../kubernetes/problem.ts'
import { API_GROUP } from '../../spec/api-version.ts'
import { CommandError, EXIT } from '../exit.ts'

/**
 * What a cluster refused, or why it could not be asked, as a sentence and a way out; other errors as they are.
 *
 * @param verb  What RBAC calls the request, when its method and path do not say that.
 */
export function clusterTrouble(error: unknown, verb?: 'watch'): unknown {
  if (!isProblem(error)) return error
  switch (error.kind) {
    case 'credentials':
      return new CommandError(
        'NO_CREDENTIALS',
        error.detail,
        'see kubectl config get-contexts; choose with --context, --kubeconfig or KUBECONFIG',
      )
    case 'unauthorized':
      return new CommandError(
        'NO_CREDENTIALS',
        `the API server does not know who asks: ${error.detail}`,
        'log in again; kubectl auth whoami says the same',
        EXIT.failed,
      )
    case 'forbidden':
      return forbidden(error, verb)
    case 'notFound':
      return notFound(error)
    case 'unreachable':
    case 'timeout':
    case 'unavailable':
    case 'untrusted':
      return new CommandError(
        'CLUSTER_UNREACHABLE',
        `the API server cannot be reached: ${error.detail}`,
        'see kubectl version; is it the right context, and the network there?',
        EXIT.failed,
      )
    default:
      return new CommandError(
        'CLUSTER_REFUSED',
        `the API server refused: ${error.detail}`,
        'see the message',
        error.kind === 'invalid' || error.kind === 'badRequest' ? EXIT.usage : EXIT.failed,
      )
  }
}

function forbidden(error: ApiProblem, watch: 'watch' | undefined): CommandError {
  const { verb: asked, resource, group, namespace } = askedFor(error.request)
  const verb = watch ?? asked
  const where = namespace === null ? 'in all namespaces' : `in namespace ${namespace}`
  const flag = namespace === null ? '-A' : `-n ${namespace}`
  return new CommandError(
    'NO_RIGHTS',
    `it is not allowed to ${verb} ${resource} ${where}: ${error.detail}`,
    `ask for the verb ${verb} on ${resource}; kubectl auth can-i ${verb} ${nameOf(resource, group)} ${flag}`,
    EXIT.failed,
  )
}

/** As kubectl has it: `dagruns.kontroler.greedykomodo`, `pods/log`. */
function nameOf(resource: string, group: string): string {
  const [plural = '', below] = resource.split('/')
  const whole = group === '' ? plural : `${plural}.${group}`
  return below === undefined ? whole : `${whole}/${below}`
}

function notFound(error: ApiProblem): CommandError {
  const { group, name, namespace } = askedFor(error.request)
  if (name === null && group === API_GROUP && !error.request.startsWith('POST')) {
    return new CommandError(
      'NO_CRDS',
      `this cluster does not know DAGs and DagRuns: the CRDs of ${API_GROUP} are not installed`,
      'install Kontroler there (CRDs: kubectl apply --server-side -f deploy/crds), or choose another --context',
      EXIT.failed,
    )
  }
  return new CommandError(
    'NOT_IN_CLUSTER',
    error.detail,
    namespace === null ? 'see the message' : `see kubectl get namespace ${namespace}`,
    EXIT.failed,
  )
}

/** What RBAC calls a request: `POST /apis/g/v1/namespaces/a/dagruns` is to create dagruns of g in a. */
function askedFor(request: string) {
  const [method = '', path = ''] = request.split(' ', 2)
  const [, group = '', rest = ''] = /^\/(?:api|apis\/([^/]+))\/[^/]+\/(.*)$/u.exec(path) ?? []
  const [, namespace = null, inside = rest] = /^namespaces\/([^/]+)\/(.+)$/u.exec(rest) ?? []
  const [plural = '', name = null, below = null] = inside.split('/')
  const verbs: Readonly<Record<string, string>> = {
    GET: name === null ? 'list' : 'get',
    POST: 'create',
    PATCH: 'patch',
    PUT: 'update',
    DELETE: name === null ? 'deletecollection' : 'delete',
  }
  const plain = below === null ? plural : `${plural}/${below}`
  return { verb: verbs[method] ?? method, resource: plain, group, name, namespace }
}
