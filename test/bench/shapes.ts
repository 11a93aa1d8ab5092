import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SCRATCH } from './peers.ts'

/** The same graph of tasks that do nothing, written for everybody who runs it. */
export interface Shape {
  readonly name: string
  readonly tasks: number
  readonly kontroler: string
  readonly dagu: string
  readonly snakefile: string
  readonly makefile: string
}

interface Node {
  readonly name: string
  readonly after: readonly string[]
}

export function chain(length: number): Shape {
  return written(
    length === 1 ? 'one' : `chain-${length}`,
    range(length).map(index => ({ name: `t${index}`, after: index === 0 ? [] : [`t${index - 1}`] })),
  )
}

/** One task, many that wait for it, one that waits for all of these. */
export function fan(width: number): Shape {
  const middle = range(width).map(index => ({ name: `m${index}`, after: ['first'] }))
  const last = { name: 'last', after: middle.map(({ name }) => name) }
  return written(`fan-${width}`, [{ name: 'first', after: [] }, ...middle, last])
}

function written(name: string, nodes: readonly Node[]): Shape {
  const folder = join(SCRATCH, name)
  mkdirSync(folder, { recursive: true })
  const file = (as: string, text: string): string => {
    writeFileSync(join(folder, as), text)
    return join(folder, as)
  }
  return {
    name,
    tasks: nodes.length,
    kontroler: file('kontroler.yaml', forKontroler(name, nodes)),
    dagu: file('dagu.yaml', forDagu(nodes)),
    snakefile: file('Snakefile', forSnakemake(nodes)),
    makefile: file('Makefile', forMake(nodes)),
  }
}

function forKontroler(name: string, nodes: readonly Node[]): string {
  const tasks = nodes.map(
    task =>
      `    - name: ${task.name}\n      image: busybox\n      command: ["/bin/true"]\n` +
      (task.after.length === 0 ? '' : `      runAfter: [${task.after.join(', ')}]\n`),
  )
  const head = 'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DAG\n'
  return `${head}metadata:\n  name: ${name}\nspec:\n  task:\n${tasks.join('')}`
}

function forDagu(nodes: readonly Node[]): string {
  const steps = nodes.map(
    task =>
      `  - name: ${task.name}\n    command: /bin/true\n` +
      (task.after.length === 0 ? '' : `    depends: [${task.after.join(', ')}]\n`),
  )
  return `type: graph\nmaxActiveSteps: 4\nsteps:\n${steps.join('')}`
}

/** Files are what snakemake goes by: each rule touches one, with `touch` as its shell command's own work. */
function forSnakemake(nodes: readonly Node[]): string {
  const last = nodes.at(-1)?.name ?? ''
  const rules = nodes.map(
    task =>
      `rule ${task.name}:\n` +
      (task.after.length === 0 ? '' : `    input: ${task.after.map(name => `"out/${name}"`).join(', ')}\n`) +
      `    output: touch("out/${task.name}")\n    log: "logs/${task.name}"\n    shell: "/bin/true > {log} 2>&1"\n`,
  )
  return `rule all:\n    input: "out/${last}"\n${rules.join('')}`
}

function forMake(nodes: readonly Node[]): string {
  const rules = nodes.map(task => `${task.name}: ${task.after.join(' ')}\n\t@/bin/true\n`)
  return `.PHONY: all ${nodes.map(({ name }) => name).join(' ')}\nall: ${nodes.at(-1)?.name ?? ''}\n${rules.join('')}`
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
