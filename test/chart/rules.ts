/** What the controller may do in a namespace of its DAGs, all of it: resource and verbs. The chart is held to it. */
export const CONTROLLER_MAY: Readonly<Record<string, readonly string[]>> = {
  'kontroler.greedykomodo/dags': ['list', 'watch'],
  'kontroler.greedykomodo/dagtasks': ['list', 'watch'],
  'kontroler.greedykomodo/dagruns': ['list', 'watch', 'create', 'delete'],
  'kontroler.greedykomodo/dags/status': ['patch'],
  'kontroler.greedykomodo/dagruns/status': ['patch'],
  'kontroler.greedykomodo/dagtasks/status': ['patch'],
  '/pods': ['get', 'list', 'watch', 'create', 'patch', 'delete', 'deletecollection'],
  '/pods/log': ['get'],
  '/configmaps': ['get', 'list', 'create', 'delete'],
  '/persistentvolumeclaims': ['get', 'list', 'create', 'delete'],
  '/events': ['list', 'watch'],
  'events.k8s.io/events': ['create'],
}

/** Verbs that are tried on every resource. */
export const VERBS = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
] as const

/** What else is tried: none of it is anybody's business but the cluster's and its users'. */
export const FORBIDDEN: readonly string[] = [
  'kontroler.greedykomodo/dags/finalizers',
  '/secrets',
  '/serviceaccounts',
  '/serviceaccounts/token',
  '/pods/exec',
  '/pods/attach',
  '/pods/portforward',
  '/pods/eviction',
  '/pods/ephemeralcontainers',
  '/pods/status',
  '/configmaps/status',
  '/services',
  '/namespaces',
  '/nodes',
  '/persistentvolumes',
  '/resourcequotas',
  'apps/deployments',
  'batch/jobs',
  'coordination.k8s.io/leases',
  'rbac.authorization.k8s.io/roles',
  'rbac.authorization.k8s.io/rolebindings',
  'rbac.authorization.k8s.io/clusterroles',
  'rbac.authorization.k8s.io/clusterrolebindings',
  'apiextensions.k8s.io/customresourcedefinitions',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
]
