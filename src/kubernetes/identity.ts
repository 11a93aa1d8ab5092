/** How the other side is told from an impostor, and how we show who we are inside TLS. */
export interface Tls {
  /** PEM; the system's authorities when null. */
  readonly ca: string | null
  /** PEM of a client certificate and its key. */
  readonly certificate: string | null
  readonly key: string | null
  /** The name the certificate must have, when it is not that of the server's address. */
  readonly serverName: string | null
  /** Asked for by name in a kubeconfig (`insecure-skip-tls-verify`): nothing is checked. */
  readonly insecure: boolean
  /** `http://`, `https://` or `socks5://` address of a proxy. */
  readonly proxy: string | null
}

/** One value or several of each. */
export type Headers = Readonly<Record<string, string | readonly string[]>>

/** What a request needs to be let in. Stays the same object for as long as nothing in it changes. */
export interface Access {
  /** The value of the Authorization header. */
  readonly authorization: string | null
  /** Headers of impersonation. */
  readonly headers: Headers
  /** The same object for as long as nothing in it changes; connections are made anew when it does. */
  readonly tls: Tls
}

/** Who we are to one cluster, and where that is. */
export interface Identity {
  /** `https://10.0.0.1:443`, maybe with a path that stands in front of all others. */
  readonly server: string
  /** The namespace that is meant when none is named. */
  readonly namespace: string
  /**
   * What to log in with now. Files and plugins are asked again from time to time.
   * @throws {ApiProblem} `credentials`
   */
  access(): Promise<Access>
  /**
   * The server refused `used`: reads everything again, unless that happened already.
   * @throws {ApiProblem} `credentials`
   */
  refresh(used: Access): Promise<void>
}

export const NO_TLS: Tls = {
  ca: null,
  certificate: null,
  key: null,
  serverName: null,
  insecure: false,
  proxy: null,
}
