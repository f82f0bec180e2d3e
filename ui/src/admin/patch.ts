/** Changes to JSON as RFC 6902 has them: made from two values, and told in words. Pure. */

export interface Operation {
  op: string
  path: string
  value?: unknown
  from?: string
}

type Json = unknown

const escaped = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1")
const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const equal = (a: Json, b: Json): boolean => {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((each, index) => equal(each, b[index]))
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a)
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
    )
  }
  return a === b
}

/** Operations that turn `before` into `after`; arrays are compared place by place. */
export function difference(before: Json, after: Json, path = ""): Operation[] {
  if (equal(before, after)) return []
  if (isObject(before) && isObject(after)) {
    const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
    return [
      ...gone.map((key) => ({ op: "remove", path: `${path}/${escaped(key)}` })),
      ...Object.entries(after).flatMap(([key, value]) =>
        Object.hasOwn(before, key)
          ? difference(before[key], value, `${path}/${escaped(key)}`)
          : [{ op: "add", path: `${path}/${escaped(key)}`, value }],
      ),
    ]
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const shared = Math.min(before.length, after.length)
    const changed = after
      .slice(0, shared)
      .flatMap((value, index) => difference(before[index], value, `${path}/${index}`))
    const added = after
      .slice(shared)
      .map((value): Operation => ({ op: "add", path: `${path}/-`, value }))
    const removed = before
      .slice(shared)
      .map((_, index): Operation => ({ op: "remove", path: `${path}/${shared + index}` }))
      .reverse()
    return [...changed, ...added, ...removed]
  }
  return [{ op: "replace", path, value: after }]
}

/** What stands at a JSON pointer; undefined where nothing does. */
export function at(document: Json, pointer: string): Json {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<Json>((value, key) => {
      if (Array.isArray(value)) return value[Number(key)]
      return isObject(value) ? value[key] : undefined
    }, document)
}

export const inOneLine = (value: Json) => JSON.stringify(value)
