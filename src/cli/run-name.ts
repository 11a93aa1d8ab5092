import { randomBytes } from 'node:crypto'

/** A name a person can type: the DAG's, and five letters and digits that are not mistaken for each other. */
export function runName(dag: string): string {
  const letters = 'bcdfghjkmnpqrstvwxz23456789'
  const tail = [...randomBytes(5)].map(byte => letters[byte % letters.length]).join('')
  return `${dag.slice(0, 57)}-${tail}`
}
