/** What somebody may do in a namespace; each role holds those before it. */
export type Role = 'viewer' | 'editor' | 'admin'

/** Who asks. Made for each request; nothing of it is kept. */
export interface Principal {
  /** Stable and unique, for keys and records: `local`, `user:` and the id of an account. Never given out again. */
  readonly id: string
  /** As people know them. */
  readonly name: string
  /** Role by namespace; `*` stands for every namespace that is not named. */
  readonly roles: ReadonlyMap<string, Role>
  /** What showed it, of somebody who has an account here. */
  readonly proof?: Proof
}

/** A session of a browser, or a token of a program, by its name in the records; neither can be made from it. */
export type Proof =
  | {
      readonly kind: 'session'
      readonly user: string
      readonly userVersion: number
      readonly session: string
      readonly endsAt: number
    }
  | { readonly kind: 'token'; readonly user: string; readonly token: string; readonly endsAt: number | null }

/** What a request brings along to say who asks. */
export interface Credentials {
  /** Of `Authorization: Bearer …`. */
  readonly bearer: string | null
  readonly cookies: ReadonlyMap<string, string>
}

/**
 * Finds out who asks. What it compares it compares in constant time, and it says nothing about why somebody is
 * not known.
 */
export interface Authenticator {
  /** Null: nobody that is known. */
  identify(credentials: Credentials): Promise<Principal | null>
  /**
   * Takes a one-time code from a link, and gives the cookie that stands for its owner from now on. Null: the code is
   * not good, or was used.
   */
  redeem(code: string): Promise<SessionCookie | null>
}

export interface SessionCookie {
  readonly name: string
  readonly value: string
}
