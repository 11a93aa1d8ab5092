import type { Problem } from './api-types.ts'

/** An answer of the server that says what is wrong. */
export class ApiProblem extends Error {
  /** Stable; the same as the CLI says. */
  readonly code: string
  readonly status: number
  readonly problem: Problem
  /** How long the server asks to wait before the same is asked again; null when it does not say. */
  readonly retryAfterMs: number | null

  constructor(problem: Problem, retryAfterMs: number | null = null) {
    super(`${problem.code}: ${problem.detail}`)
    this.name = 'ApiProblem'
    this.code = problem.code
    this.status = problem.status
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }
}

/** The problem that an answer carries, or one made of its status where not the server spoke but something between. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const type = response.headers.get('content-type') ?? ''
  const text = await response.text().catch(() => '')
  const retryAfterMs = waitOf(response.headers.get('retry-after'))
  if (type.startsWith('application/problem+json')) {
    try {
      return new ApiProblem(JSON.parse(text) as Problem, retryAfterMs)
    } catch {
      // Cut off on its way: its status is still known.
    }
  }
  const { status } = response
  const problem = {
    type: 'about:blank',
    title: response.statusText,
    status,
    code: 'UNKNOWN_ANSWER',
    detail: `the answer is ${status}, and not one of a Kontroler`,
    fix: 'check the address',
    correlationId: response.headers.get('x-correlation-id') ?? '',
    problems: [],
  }
  return new ApiProblem(problem, retryAfterMs)
}

/** Seconds, or the moment until which to wait. */
function waitOf(header: string | null): number | null {
  if (header === null) return null
  if (/^\d{1,6}$/.test(header)) return 1_000 * Number(header)
  const at = Date.parse(header)
  return Number.isFinite(at) ? Math.max(0, at - Date.now()) : null
}
