/** The one API group and version of the documents. */
export const API_GROUP = 'kontroler.greedykomodo'
export const API_VERSION = 'kontroler.greedykomodo/v1alpha1'
