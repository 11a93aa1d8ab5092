import { loadConfig } from './config.ts'
import { ConfigError } from './config/read.ts'
import { createLog, type Log } from './controller/json-log.ts'
import { openController } from './main/controller.ts'
import { codeOf, wordsOf } from './main/parts.ts'

/** The controller's process, `node src/main.ts --config FILE`. Ends with 0 after TERM or INT, 2 when told wrong. */
const EXIT = { failed: 1, config: 2 } as const

const write = (line: string): void => {
  process.stdout.write(line)
}
await run()

async function run(): Promise<void> {
  const first = createLog({ level: 'info', now: Date.now, write })
  const config = configured(first)
  if (config === null) return void (process.exitCode = EXIT.config)
  const log = createLog({ level: config.logLevel, now: Date.now, write })
  process.on('uncaughtException', error => {
    // Nothing is known of what half of a step did: all of it is in the database, and read there by the next process.
    log.error('this is a bug; the process ends and is to be started again', { error })
    process.exit(EXIT.failed)
  })
  try {
    let asked = false
    const opening = openController(config, log, process.env)
    const stop = (signal: NodeJS.Signals): void => {
      // Asked twice: at once. Whatever is not done now is done by the next one.
      if (asked) process.exit(EXIT.failed)
      asked = true
      log.info('the controller stops; pods go on', { signal })
      // One that does not open is told of below.
      opening.then(
        async controller => {
          await controller.close()
          process.exit(0)
        },
        () => undefined,
      )
    }
    // Before the first wait: the first process of a container does not die of a signal that nobody listens to.
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    const controller = await opening
    void controller.outdated.then(why => {
      if (asked) return
      asked = true
      log.info(`the controller ends, to be started again: ${why}`)
      void controller.close().then(() => process.exit(EXIT.failed))
    })
    log.info('the controller starts', { listen: controller.address, stateDir: config.stateDir })
    await controller.started.catch((error: unknown) => {
      if (!asked) throw error
    })
  } catch (error) {
    log.error(`the controller cannot start: ${wordsOf(error)}`, { code: codeOf(error) })
    process.exit(EXIT.failed)
  }
}

function configured(log: Log): ReturnType<typeof loadConfig> | null {
  try {
    return loadConfig(process.argv.slice(2), process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const { key, place, message, fix } of error.problems)
      log.error(`${key} ${message}`, { code: error.code, key, place: place ?? undefined, fix })
    return null
  }
}
