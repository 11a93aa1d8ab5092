import { parseDuration } from '../../core/dag/duration.ts'
import { present } from '../loose.ts'
import { at, type TaskView } from './view.ts'
import { checkDuration, type Report } from './words.ts'

/** Retries: durations, and settings that would do nothing. */
export function checkRetry(view: TaskView, report: Report): void {
  const { backoff, conditional } = view.spec
  checkDuration(backoff?.delay, at(view, 'backoff', 'delay'), 0, report)
  checkDuration(backoff?.maxDelay, at(view, 'backoff', 'maxDelay'), 0, report)
  const delay = parseDuration(backoff?.delay ?? '')
  const maxDelay = parseDuration(backoff?.maxDelay ?? '')
  if (delay !== null && maxDelay !== null && maxDelay < delay) {
    report({
      code: 'BACKOFF_ORDER',
      path: at(view, 'backoff', 'maxDelay'),
      message: 'maxDelay is shorter than delay',
      fix: 'make maxDelay at least as long as delay',
    })
  }
  const codes = present(conditional?.retryCodes)
  if (conditional?.enabled === true && codes.length === 0) {
    report({
      code: 'CONDITIONAL_EMPTY',
      severity: 'warning',
      path: at(view, 'conditional'),
      on: 'key',
      message: 'conditional is enabled without retryCodes, so nothing is ever retried',
      fix: 'name the exit codes to retry, or set enabled: false',
    })
  }
  for (const [index, code] of codes) {
    if (code >= -1 && code <= 255) continue
    report({
      code: 'EXIT_CODE_RANGE',
      severity: 'warning',
      path: at(view, 'conditional', 'retryCodes', index),
      message: `no process ends with exit code ${code}`,
      fix: 'use a code from 0 to 255',
    })
  }
}
