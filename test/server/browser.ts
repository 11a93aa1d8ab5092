/** A browser: it follows where it is sent, and keeps the cookies of each host. */
export class Browser {
  readonly cookies = new Map<string, Map<string, string>>()

  async get(url: string): Promise<Response> {
    const { host } = new URL(url)
    const own = this.cookies.get(host) ?? new Map<string, string>()
    this.cookies.set(host, own)
    const cookie = [...own].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie, 'sec-fetch-site': 'cross-site' },
    })
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const at = pair.indexOf('=')
      if (/Max-Age=0|expires=Thu, 01 Jan 1970/i.test(line)) own.delete(pair.slice(0, at))
      else own.set(pair.slice(0, at), pair.slice(at + 1))
    }
    return response
  }

  /** Goes on until nothing sends it on, or it would come to an address that begins so. */
  async follow(
    from: string,
    until = 'nowhere',
  ): Promise<{ readonly url: string; readonly response: Response }> {
    let url = from
    for (let steps = 0; steps < 20; steps += 1) {
      const response = await this.get(url)
      const location = response.headers.get('location')
      if (location === null) return { url, response }
      url = new URL(location, url).href
      if (url.startsWith(until)) return { url, response }
    }
    throw new Error('sent around in circles')
  }

  /** The cookie of its session at a server. */
  session(url: string): string {
    const { host, port } = new URL(url)
    const name = `kontroler-session-${port}`
    return `${name}=${this.cookies.get(host)?.get(name) ?? ''}`
  }
}
