/** The code of an error of the system, such as `ENOENT`; empty for every other error. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
