/** What waits for what: each name with the names it runs after. Unknown names are passed over. */
export type Dependencies = ReadonlyMap<string, readonly string[]>

/**
 * Every group of tasks that wait for each other, one path for each group, in the direction of the arrows: the path
 * `a → b → c → a` says that b runs after a, c after b, and a after c. A task that waits for itself is not told here.
 *
 * @returns Paths whose first and last name are the same; empty when nothing waits in a circle. Linear in the edges.
 */
export function cycles(dependencies: Dependencies): readonly (readonly string[])[] {
  const state = new Map<string, 'open' | 'done'>()
  const found: string[][] = []
  for (const name of dependencies.keys()) {
    if (!state.has(name)) search(name, dependencies, state, found)
  }
  return found
}

/**
 * True when `name` runs after `earlier`, by way of any number of tasks.
 *
 * @param known  Answers so far; give the same map for the same graph to ask often.
 */
export function runsAfter(
  name: string,
  earlier: string,
  dependencies: Dependencies,
  known: Map<string, ReadonlySet<string>> = new Map(),
): boolean {
  if (dependencies.get(name)?.includes(earlier) === true) return true
  let ancestors = known.get(name)
  if (ancestors === undefined) {
    ancestors = ancestorsOf(name, dependencies)
    if (known.size < KNOWN_MAX) known.set(name, ancestors)
  }
  return ancestors.has(earlier)
}

/** Ancestor sets kept at once; more would cost memory in the square of the tasks. */
const KNOWN_MAX = 100

function ancestorsOf(name: string, dependencies: Dependencies): ReadonlySet<string> {
  const seen = new Set<string>()
  const open = [name]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const dependency of dependencies.get(next) ?? []) {
      if (seen.has(dependency) || !dependencies.has(dependency)) continue
      seen.add(dependency)
      open.push(dependency)
    }
  }
  return seen
}

/** Depth first without recursion: runs may have 100,000 tasks in one chain. */
function search(
  from: string,
  dependencies: Dependencies,
  state: Map<string, 'open' | 'done'>,
  found: string[][],
): void {
  const path: { readonly name: string; next: number }[] = [{ name: from, next: 0 }]
  state.set(from, 'open')
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const dependency = dependencies.get(top.name)?.[top.next]
    top.next += 1
    if (dependency === undefined) {
      state.set(top.name, 'done')
      path.pop()
    } else if (dependency !== top.name && dependencies.has(dependency)) {
      const seen = state.get(dependency)
      if (seen === undefined) {
        state.set(dependency, 'open')
        path.push({ name: dependency, next: 0 })
      } else if (seen === 'open') {
        const start = path.findIndex(step => step.name === dependency)
        const circle = path.slice(start).map(step => step.name)
        // The path follows "waits for"; turned round it follows the arrows. It starts at the name met first.
        found.push([dependency, ...circle.slice(1).toReversed(), dependency])
      }
    }
  }
}
