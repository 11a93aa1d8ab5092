import type { Session } from './session.ts'
export async function logs(
  _session: Session,
  _text: string,
  _task: string | undefined,
  _options: object,
): Promise<number> {
  return 1
}
