import type { ParameterType } from './dag.ts'

/** Whether a text is a value of the type: the one rule for defaults, DagRuns, the command line and forms. */
export function fitsType(type: ParameterType, text: string): boolean {
  switch (type) {
    case 'string':
      return true
    case 'boolean':
      return text === 'true' || text === 'false'
    case 'integer':
      return /^-?\d{1,15}$/.test(text)
    case 'number':
      return /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text) && Number.isFinite(Number(text))
    case 'json':
      try {
        JSON.parse(text)
        return true
      } catch {
        return false
      }
    default:
      return type satisfies never
  }
}
