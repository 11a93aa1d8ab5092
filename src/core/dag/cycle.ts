/** What waits for what: each name with the names it runs after. Unknown names are passed over. */
export type Dependencies = ReadonlyMap<string, readonly string[]>

/**
 * One path for each group of tasks that wait for each other, in the direction of the arrows: `a → b → c → a` says
 * that b runs after a, c after b, and a after c. It is the shortest one through the first task of the group. A task
 * that waits for itself is not told here.
 *
 * @returns Paths whose first and last name are the same; empty when nothing waits in a circle. Linear in the edges.
 */
export function cycles(dependencies: Dependencies): readonly (readonly string[])[] {
  const groups = groupsOf(dependencies)
  const told = new Set<number>()
  const paths: (readonly string[])[] = []
  for (const name of dependencies.keys()) {
    const group = groups.get(name)
    if (group === undefined || told.has(group)) continue
    const path = shortest(name, dependencies, groups)
    if (path === null) continue
    told.add(group)
    paths.push(path)
  }
  return paths
}

/**
 * Answers whether a task runs after another one, by way of any number of tasks. What comes after a task is kept for
 * some tasks, so asking often about the same ones is cheap.
 */
export function runOrder(dependencies: Dependencies): (name: string, earlier: string) => boolean {
  const dependents = new Map<string, string[]>()
  for (const [name, before] of dependencies) {
    for (const dependency of before) {
      const list = dependents.get(dependency)
      if (list === undefined) dependents.set(dependency, [name])
      else list.push(name)
    }
  }
  const known = new Map<string, ReadonlySet<string>>()
  return (name, earlier) => {
    if (!dependencies.has(earlier)) return false
    if (dependencies.get(name)?.includes(earlier) === true) return true
    let later = known.get(earlier)
    if (later === undefined) {
      later = reachable(earlier, dependents)
      if (known.size < KNOWN_MAX) known.set(earlier, later)
    }
    return later.has(name)
  }
}

/** Sets kept at once; more would cost memory in the square of the tasks. */
const KNOWN_MAX = 100

function reachable(from: string, edges: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const seen = new Set<string>()
  const open = [from]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const name of edges.get(next) ?? []) {
      if (seen.has(name)) continue
      seen.add(name)
      open.push(name)
    }
  }
  return seen
}

type Visit = { readonly name: string; readonly order: number; low: number; next: number; onStack: boolean }

/**
 * The number of the strongly connected group of each task, by Tarjan's algorithm, without recursion: a run may have
 * 100,000 tasks in one chain.
 */
function groupsOf(dependencies: Dependencies): ReadonlyMap<string, number> {
  const visits = new Map<string, Visit>()
  const groups = new Map<string, number>()
  const stack: Visit[] = []
  const path: Visit[] = []
  const enter = (name: string): void => {
    const visit: Visit = { name, order: visits.size, low: visits.size, next: 0, onStack: true }
    visits.set(name, visit)
    stack.push(visit)
    path.push(visit)
  }
  for (const root of dependencies.keys()) {
    if (visits.has(root)) continue
    enter(root)
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const dependency = dependencies.get(top.name)?.[top.next]
      top.next += 1
      if (dependency === undefined) {
        path.pop()
        const parent = path.at(-1)
        if (parent !== undefined) parent.low = Math.min(parent.low, top.low)
        if (top.low === top.order) closeGroup(top, stack, groups)
      } else if (dependencies.has(dependency)) {
        const seen = visits.get(dependency)
        if (seen === undefined) enter(dependency)
        else if (seen.onStack) top.low = Math.min(top.low, seen.order)
      }
    }
  }
  return groups
}

function closeGroup(first: Visit, stack: Visit[], groups: Map<string, number>): void {
  for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
    member.onStack = false
    groups.set(member.name, first.order)
    if (member === first) return
  }
}

/** The shortest way back to a task within its group; null when there is none, as in a group of one. */
function shortest(
  from: string,
  dependencies: Dependencies,
  groups: ReadonlyMap<string, number>,
): readonly string[] | null {
  const waiter = new Map<string, string>()
  const open = [from]
  // The queue grows while it is walked: breadth first.
  for (const name of open) {
    for (const dependency of dependencies.get(name) ?? []) {
      if (dependency === name || groups.get(dependency) !== groups.get(from)) continue
      if (dependency === from) return wayBack(name, from, waiter)
      if (waiter.has(dependency)) continue
      waiter.set(dependency, name)
      open.push(dependency)
    }
  }
  return null
}

/** From the task met first to the last one that waits for it: the steps of the search, turned round to the arrows. */
function wayBack(last: string, from: string, waiter: ReadonlyMap<string, string>): readonly string[] {
  const path = [from]
  for (let name: string | undefined = last; name !== undefined && name !== from; name = waiter.get(name))
    path.push(name)
  path.push(from)
  return path
}
