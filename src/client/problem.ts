import type { Problem } from './api-types.ts'

/** An answer of the server that says what is wrong. */
export class ApiProblem extends Error {
  /** Stable; the same as the CLI says. */
  readonly code: string
  readonly status: number
  readonly problem: Problem

  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.detail}`)
    this.name = 'ApiProblem'
    this.code = problem.code
    this.status = problem.status
    this.problem = problem
  }
}

/** The problem that an answer carries, or one made of its status where not the server spoke but something between. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const type = response.headers.get('content-type') ?? ''
  const text = await response.text().catch(() => '')
  if (type.startsWith('application/problem+json')) {
    try {
      return new ApiProblem(JSON.parse(text) as Problem)
    } catch {
      // Cut off on its way: its status is still known.
    }
  }
  const { status } = response
  return new ApiProblem({
    type: 'about:blank',
    title: response.statusText,
    status,
    code: 'UNKNOWN_ANSWER',
    detail: `the answer is ${status}, and not one of a Kontroler`,
    fix: 'check the address',
    correlationId: response.headers.get('x-correlation-id') ?? '',
    problems: [],
  })
}
