import { EXIT } from '../exit.ts'
import type { Environment } from '../settings.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { tableLines } from '../show/table.ts'
import { painter } from '../show/text.ts'
import { contextNamed, readContexts, writeContexts } from './contexts.ts'
import { LOCAL, noneCurrent } from './login.ts'

/** `kontroler context list`: the servers that are known here. No token is shown. */
export async function listContexts(
  environment: Environment,
  options: { readonly output?: DataFormat | 'name' },
): Promise<number> {
  const { current, contexts } = readContexts()
  const rows = [...contexts].map(([name, { server, token, caFile }]) => ({
    name,
    server,
    current: name === current,
    loggedIn: token !== null,
    caFile,
  }))
  const { output } = options
  if (isDataFormat(output)) printData(output, { contexts: rows })
  else if (output === 'name') printLines(rows.map(({ name }) => name))
  else if (rows.length === 0) printLines(['there is no context; commands are about this machine'])
  else {
    const paint = painter(environment.color)
    const columns = [
      { title: '', cell: (row: (typeof rows)[number]) => (row.current ? '*' : ' ') },
      { title: 'NAME', cell: (row: (typeof rows)[number]) => row.name },
      { title: 'SERVER', cell: (row: (typeof rows)[number]) => row.server },
      { title: 'TOKEN', cell: (row: (typeof rows)[number]) => (row.loggedIn ? 'yes' : 'no') },
    ]
    printLines(tableLines(columns, rows, { paint, width: Number.POSITIVE_INFINITY }))
  }
  return EXIT.succeeded
}

/** `kontroler context use NAME`: the server that commands are about; `local` for this machine. */
export async function useContext(_environment: Environment, name: string): Promise<number> {
  const known = readContexts()
  if (name === LOCAL) {
    writeContexts({ ...known, current: null })
    printLines(['commands are about this machine now'])
    return EXIT.succeeded
  }
  const { server } = contextNamed(known, name)
  writeContexts({ ...known, current: name })
  printLines([`commands are about ${server} now`])
  return EXIT.succeeded
}

/** `kontroler context current` */
export async function currentContext(): Promise<number> {
  const { current } = readContexts()
  if (current === null) throw noneCurrent()
  printLines([current])
  return EXIT.succeeded
}

/** `kontroler context remove NAME`: forgets a server, and its token. */
export async function removeContext(_environment: Environment, name: string): Promise<number> {
  const known = readContexts()
  contextNamed(known, name)
  const contexts = new Map(known.contexts)
  contexts.delete(name)
  writeContexts({ current: known.current === name ? null : known.current, contexts })
  printLines([`context ${name} is removed`])
  return EXIT.succeeded
}
