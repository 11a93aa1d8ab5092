/** `npm run check`: types, lint, format, and generated files fresh. Every part runs, so all trouble shows at once. */
import { spawnSync } from 'node:child_process'

const parts: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['types', ['tsc', '-p', '.']],
  ['lint', ['oxlint', '--type-aware', 'src', 'test']],
  ['format', ['biome', 'format', '.']],
  ['tidy', ['node', 'test/run.ts', 'tidy']],
]

const failed: string[] = []
for (const [name, command] of parts) {
  const { status } = spawnSync(command[0] ?? '', command.slice(1), { stdio: 'inherit' })
  if (status !== 0) failed.push(name)
}
console.log(failed.length === 0 ? 'check: all parts green' : `check: failed in ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
