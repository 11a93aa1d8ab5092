/** Members that have a value: the store's questions know none that is undefined. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const some = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(some) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
