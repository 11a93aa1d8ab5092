import { CommandError, EXIT } from '../exit.ts'

/**
 * Asks a person for a secret, which is not shown as it is typed.
 *
 * @throws {CommandError} `BAD_OPTION` nobody is there to be asked.
 */
export async function askSecretly(question: string): Promise<string> {
  const { stdin, stderr } = process
  if (stdin.isTTY !== true) {
    const fix = 'name a file that holds it with --token-file FILE; - for standard input'
    throw new CommandError('BAD_OPTION', 'the token cannot be asked for: this is no terminal', fix)
  }
  stderr.write(question)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdin.resume()
  try {
    return await new Promise<string>((resolve, reject) => {
      let typed = ''
      const take = (text: string): void => {
        for (const sign of text) {
          if (sign === '\r' || sign === '\n' || sign === '\u0004') return done(() => resolve(typed.trim()))
          if (sign === '\u0003')
            return done(() => reject(new CommandError('BAD_OPTION', '', '', EXIT.interrupted)))
          if (sign === '\u007f' || sign === '\b') typed = typed.slice(0, -1)
          else if (sign === '\u0015') typed = ''
          else if (sign >= ' ') typed += sign
        }
      }
      const done = (settle: () => void): void => {
        stdin.off('data', take)
        settle()
      }
      stdin.on('data', take)
    })
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}
