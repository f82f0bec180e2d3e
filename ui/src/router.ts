/** Addresses: the table of pages, which the server has too, and the browser's own history. */
import { useSyncExternalStore } from "react"
import pages from "../pages.json"

export type RouteName = keyof typeof pages | "missing"

export interface Route {
  name: RouteName
  params: Record<string, string | undefined>
  path: string
}

const patterns = Object.entries(pages).flatMap(([name, paths]) =>
  paths.map((path) => ({
    name: name as keyof typeof pages,
    pattern: new RegExp(`^${path.replace(/\{(\w+)\}/g, "(?<$1>[\\w-]+)")}$`),
  })),
)

export function matchRoute(path: string): Route {
  for (const { name, pattern } of patterns) {
    const match = pattern.exec(path)
    if (match) return { name, params: { ...match.groups }, path }
  }
  return { name: "missing", params: {}, path }
}

const listeners = new Set<() => void>()
const changed = () => {
  for (const listener of listeners) listener()
}
window.addEventListener("popstate", changed)

export function navigate(to: string, how: "push" | "replace" = "push"): void {
  if (to === location.pathname + location.search) return
  history[how === "push" ? "pushState" : "replaceState"](null, "", to)
  changed()
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

let current = matchRoute(location.pathname)
const snapshot = () => {
  if (current.path !== location.pathname) current = matchRoute(location.pathname)
  return current
}

export const useRoute = (): Route => useSyncExternalStore(subscribe, snapshot)
export const useHash = (): string => useSyncExternalStore(subscribe, () => location.hash.slice(1))
export const useQueryString = (): string => useSyncExternalStore(subscribe, () => location.search)
