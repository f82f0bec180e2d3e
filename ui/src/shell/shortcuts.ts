/** Keyboard shortcuts: one table of what there is, and one listener for all of them. */
import { useEffect, useRef, useSyncExternalStore } from "react"

export const shortcuts = {
  search: { keys: ["mod", "K"], label: "Search and commands", group: "Everywhere" },
  newChat: { keys: ["mod", "shift", "O"], label: "New conversation", group: "Everywhere" },
  sidebar: { keys: ["mod", "\\"], label: "Show or hide the list", group: "Everywhere" },
  help: { keys: ["?"], label: "This sheet", group: "Everywhere" },
  write: { keys: ["/"], label: "Write a message", group: "Conversation" },
  stop: { keys: ["Escape"], label: "Stop the answer", group: "Conversation" },
  edit: { keys: ["E"], label: "Edit your last question", group: "Conversation" },
  again: { keys: ["R"], label: "Another answer", group: "Conversation" },
  copy: { keys: ["C"], label: "Copy the last answer", group: "Conversation" },
  older: { keys: ["["], label: "Earlier version of the answer", group: "Conversation" },
  newer: { keys: ["]"], label: "Later version of the answer", group: "Conversation" },
  good: { keys: ["Y"], label: "The last answer is good", group: "Teaching" },
  bad: { keys: ["N"], label: "The last answer is not good", group: "Teaching" },
  correct: { keys: ["W"], label: "Correct the last answer", group: "Teaching" },
} as const

export type ShortcutName = keyof typeof shortcuts

const apple = /Mac|iPhone|iPad/.test(navigator.userAgent)
const signs: Record<string, string> = apple
  ? { mod: "⌘", shift: "⇧", Escape: "esc" }
  : { mod: "Ctrl", shift: "Shift", Escape: "Esc" }

export const shownKeys = (name: ShortcutName): string[] =>
  shortcuts[name].keys.map((key) => signs[key] ?? key)

export const shownHint = (name: ShortcutName): string => shownKeys(name).join(apple ? "" : "+")

const singleKey = "liminal.single-keys"
const settingListeners = new Set<() => void>()

/** Single letters as shortcuts can get in the way of speech input; they can be switched off. */
export const singleKeysOn = () => localStorage.getItem(singleKey) !== "off"

export function setSingleKeys(on: boolean): void {
  localStorage.setItem(singleKey, on ? "on" : "off")
  for (const listener of settingListeners) listener()
}

export const useSingleKeys = () =>
  useSyncExternalStore((listener) => {
    settingListeners.add(listener)
    return () => settingListeners.delete(listener)
  }, singleKeysOn)

const handlers = new Map<ShortcutName, () => void>()

/** Runs `run` on the shortcut for as long as the component is there and `run` is not null. */
export function useShortcut(name: ShortcutName, run: (() => void) | null): void {
  const latest = useRef(run)
  latest.current = run
  const active = run !== null
  useEffect(() => {
    if (!active) return
    const handler = () => latest.current?.()
    handlers.set(name, handler)
    return () => {
      if (handlers.get(name) === handler) handlers.delete(name)
    }
  }, [name, active])
}

export const runShortcut = (name: ShortcutName) => handlers.get(name)?.()

function matches(event: KeyboardEvent, keys: readonly string[]): boolean {
  const wantsMod = keys.includes("mod")
  const wantsShift = keys.includes("shift")
  const key = keys.at(-1) ?? ""
  if ((event.metaKey || event.ctrlKey) !== wantsMod || event.altKey) return false
  // signs such as ? need shift on some keyboards and not on others
  if (/[a-z]/i.test(key) && event.shiftKey !== wantsShift) return false
  return event.key.toLowerCase() === key.toLowerCase()
}

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

export function listenForShortcuts(): () => void {
  const listen = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]"))
      return
    for (const [name, { keys }] of Object.entries(shortcuts)) {
      if (!matches(event, keys)) continue
      const single = keys.length === 1 && keys[0] !== "Escape"
      if (single && (typing(event.target) || !singleKeysOn())) return
      const handler = handlers.get(name as ShortcutName)
      if (!handler) return
      event.preventDefault()
      handler()
      return
    }
  }
  window.addEventListener("keydown", listen)
  return () => window.removeEventListener("keydown", listen)
}
