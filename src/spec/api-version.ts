/** The one API group and version of the documents. */
export const API_GROUP = 'kontroler.greedykomodo'
export const VERSION_NAME = 'v1alpha1'
export const API_VERSION = 'kontroler.greedykomodo/v1alpha1'
