import type { DagInForce, StoredDag } from '../ports/store.ts'
import { RequestProblem } from './problem.ts'

/** Names what is in force: the content, and whether it is suspended, which is no part of a version. */
export function etagOf({ hash, dag }: Pick<StoredDag, 'hash' | 'dag'>): string {
  return `"${hash}${dag.suspended ? '.suspended' : ''}"`
}

export function isCurrent(header: string | null, etag: string): boolean {
  return header !== null && tagsOf(header).some(tag => tag === '*' || tag === etag)
}

/**
 * What has to be in force for a change: what `If-Match` names. A DAG that is there is not changed by somebody who does
 * not say what the change was made from.
 *
 * @returns null: none may be there; undefined: whatever is.
 * @throws {RequestProblem} `PRECONDITION_REQUIRED`, `DAG_CHANGED`
 */
export function conditionOf(
  now: StoredDag | null,
  ifMatch: string | null,
  ifNoneMatch: string | null,
): DagInForce | null | undefined {
  if (ifNoneMatch !== null) {
    if (now !== null && isCurrent(ifNoneMatch, etagOf(now))) throw changed('there is such a DAG already')
    if (tagsOf(ifNoneMatch).includes('*')) return null
  }
  if (ifMatch === null) {
    if (now === null) return null
    throw new RequestProblem(
      'PRECONDITION_REQUIRED',
      'there is such a DAG; say what your change was made from',
      'send its ETag as If-Match, or If-Match: * to overwrite whatever is there',
    )
  }
  if (now === null) throw changed('the DAG is not there any more')
  if (tagsOf(ifMatch).includes('*')) return undefined
  if (!isCurrent(ifMatch, etagOf(now))) throw changed('the DAG was changed since you read it')
  return { hash: now.hash, suspended: now.dag.suspended }
}

function tagsOf(header: string): readonly string[] {
  return header.split(',').map(tag => tag.trim())
}

function changed(message: string): RequestProblem {
  return new RequestProblem('DAG_CHANGED', message, 'read it again, and make your change to what it is now')
}
