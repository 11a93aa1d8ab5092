/** Cookies of a server that browsers reach at an address. */
export interface Cookies {
  /** Of the session. */
  readonly session: string
  /** Of a browser that is on its way to an identity provider and back. */
  readonly flow: string
  /** @param seconds  How long it is kept; 0 takes it away. */
  set(name: string, value: string, seconds: number): string
}

/**
 * Over TLS their names begin with `__Host-`: browsers then take them from this very host only, and no neighbour can
 * plant one. Without it they carry the port, as all servers of a host share its cookies.
 */
export function cookiesOf(publicUrl: string): Cookies {
  const { protocol, port } = new URL(publicUrl)
  const secure = protocol === 'https:'
  const nameOf = (what: string): string =>
    secure ? `__Host-kontroler-${what}` : `kontroler-${what}-${port === '' ? '80' : port}`
  return {
    session: nameOf('session'),
    flow: nameOf('sign-in'),
    set: (name, value, seconds) =>
      `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
  }
}
