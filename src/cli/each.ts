import { CommandError } from './exit.ts'

/** What came of something that was done for several runs. */
export interface DoneForEach<T> {
  /** Of those for which it could be done. */
  readonly done: readonly T[]
  /**
   * To be called at the end.
   *
   * @throws {CommandError} Of the last run for which it could not be done; those before it are told.
   */
  readonly tellRefused: () => void
}

/**
 * Does something for each run that was named. One for which it cannot be done, such as a run that has ended already,
 * does not keep it from the others.
 */
export async function forEachNamed<T>(
  texts: readonly string[],
  work: (text: string) => Promise<T>,
): Promise<DoneForEach<T>> {
  const done: T[] = []
  const refused: CommandError[] = []
  for (const text of texts) {
    try {
      done.push(await work(text))
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      refused.push(error)
    }
  }
  return {
    done,
    tellRefused() {
      const last = refused.at(-1)
      for (const { code, message } of refused.slice(0, -1))
        process.stderr.write(`error ${code}: ${message}\n`)
      if (last !== undefined) throw last
    },
  }
}
