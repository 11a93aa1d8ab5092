import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

const named = process.env['KUBECONFIG'] ?? ''

const isOwn = named !== '' && existsSync(join(dirname(named), 'cluster.json'))

/** Folder of the cluster of `npm run cluster` that KUBECONFIG names, with which tests may do as they like; else null. */
export const OWN: string | null = isOwn ? dirname(named) : null

/** The kubeconfig of a cluster that the tests are to use and that is not of `npm run cluster`; null when none is given. */
export const GIVEN: string | null = named === '' || isOwn ? null : named
