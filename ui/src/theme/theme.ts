/** The theme and the reading face: applied to the root element, kept in this browser. */
import { useSyncExternalStore } from "react"

export type Theme = "system" | "light" | "dark"
export type Face = "serif" | "sans"

const themeKey = "liminal.theme"
const faceKey = "liminal.face"
const dark = matchMedia("(prefers-color-scheme: dark)")
const listeners = new Set<() => void>()

const storedTheme = () => (localStorage.getItem(themeKey) as Theme | null) ?? "system"
const storedFace = () => (localStorage.getItem(faceKey) as Face | null) ?? "serif"

function apply() {
  const theme = storedTheme()
  const resolved = theme === "system" ? (dark.matches ? "dark" : "light") : theme
  document.documentElement.dataset.theme = resolved
  document.documentElement.dataset.face = storedFace()
  for (const listener of listeners) listener()
}

dark.addEventListener("change", apply)
window.addEventListener("storage", apply)

export function setTheme(theme: Theme): void {
  localStorage.setItem(themeKey, theme)
  apply()
}

export function setFace(face: Face): void {
  localStorage.setItem(faceKey, face)
  apply()
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const useTheme = () => useSyncExternalStore(subscribe, storedTheme)
export const useFace = () => useSyncExternalStore(subscribe, storedFace)
