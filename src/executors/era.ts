/**
 * Until when an executor of this machine knows what became of an attempt (`Executor.era`). It looks into its state
 * directory: in another one nothing is to be found of what ran. And a machine that goes down may lose the last files
 * that were written, so that nothing is found of what had just begun.
 *
 * @param state  Identity of the state directory.
 */
export const eraOf = (kind: EraKind, state: string, boot: string): string =>
  [kind, shortened(state), shortened(boot)].join(':')

/**
 * Why an attempt of which nothing is known here may have run all the same; null when it certainly has not.
 *
 * @param era   The era in which it was meant to start; absent when none was written down.
 * @param mine  That of the executor that asks.
 */
export function mayHaveRun(era: string | undefined, mine: string): string | null {
  if (era === undefined || era === mine) return null
  const [kind, state, boot] = era.split(':')
  const [myKind, myState, myBoot] = mine.split(':')
  if (state !== myState)
    return 'it was to be started from another state directory, perhaps on another machine, where it may have run'
  // A container that was started is found by its name: its engine does not forget it with the boot.
  if (boot === myBoot || (kind === 'container' && myKind === 'container')) return null
  return 'the machine was restarted just after it was to be started'
}

type EraKind = 'process' | 'container'

/** It stands in the log of each attempt; 48 random bits tell state directories and boots apart. */
const shortened = (id: string): string => id.replaceAll('-', '').slice(0, 12)
