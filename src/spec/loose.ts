/**
 * A document of which parts may be missing: what is left of one after everything that does not fit its schema was
 * taken out. The checks after the schema run on it, so that all problems show at once.
 */
export type Loose<T> = T extends readonly (infer Item)[]
  ? readonly (Loose<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Loose<T[Key]> | undefined }
    : T

/** Items of a list that are there, each with its place. */
export function present<T>(list: readonly (T | undefined)[] | undefined): [index: number, item: T][] {
  const items: [number, T][] = []
  list?.forEach((item, index) => {
    if (item !== undefined) items.push([index, item])
  })
  return items
}

/** Texts of a list that are there. */
export function texts(list: readonly (string | undefined)[] | undefined): string[] {
  return present(list).map(([, item]) => item)
}
