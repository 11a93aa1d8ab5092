import type { Accounts } from '../../ports/accounts.ts'
import { hashOf, newSecret } from './secrets.ts'

const GIVEN_LENGTH_MIN = 32

/**
 * A code with which the first user can be made, once: there is no password that anybody could know beforehand.
 *
 * @param given  A code that was made elsewhere, such as in a Secret; one is made when there is none.
 * @returns null: there are users. Whoever starts the server shows the code to who started it, and to nobody else.
 * @throws {Error} The given code is so short that it could be guessed.
 */
export async function offerSetup(accounts: Accounts, now: number, given?: string): Promise<string | null> {
  if (given !== undefined && given.length < GIVEN_LENGTH_MIN)
    throw new Error(`the setup code has less than ${GIVEN_LENGTH_MIN} characters`)
  if (!(await accounts.isEmpty())) return null
  const code = given ?? newSecret()
  return (await accounts.offerSetup(hashOf(code), now)) ? code : null
}
