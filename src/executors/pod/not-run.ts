import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'

/**
 * What a runtime says of a container whose process it could not make: the task's fault when it is about the command.
 *
 * @param who  In front of the sentence when it is not about the task's own container.
 */
export function notRun(message: string, who = ''): Outcome {
  const plain = message.replace(/^.*(?:unable to start container process|container_linux\.go:\d+): /su, '')
  const text = `${who}${plain}`
  if (/no command specified/iu.test(plain)) return is('configError', 'COMMAND_NOT_FOUND', text)
  if (/executable file not found|no such file or directory/iu.test(plain) && plain.includes('exec'))
    return is('configError', 'COMMAND_NOT_FOUND', text)
  if (/exec.*(?:permission denied|exec format error|is a directory)/iu.test(plain))
    return is('configError', 'NOT_EXECUTABLE', text)
  return is('startError', 'START_ERROR', text)
}

const is = (kind: Outcome['kind'], reason: ReasonCode, message: string): Outcome => ({
  kind,
  reason,
  exitCode: null,
  signal: null,
  message,
  outputs: {},
})
