/** Which message is being worked on, and how. One at a time, so that nothing half-written is lost sight of. */
import { useSyncExternalStore } from "react"

export type Work = "edit" | "correct" | "rule" | "note"

interface Open {
  work: Work
  messageId: string
}

let current: Open | null = null
const listeners = new Set<() => void>()

function set(next: Open | null) {
  current = next
  for (const listener of listeners) listener()
}

export const answerActions = {
  open: (work: Work, messageId: string) => set({ work, messageId }),
  close: () => set(null),
  /** Closes one work, and nothing else that was opened meanwhile. */
  finish: (work: Work, messageId: string) => {
    if (current?.work === work && current.messageId === messageId) set(null)
  },
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The work that is open on a message, or null. */
export const useWork = (messageId: string): Work | null =>
  useSyncExternalStore(subscribe, () => (current?.messageId === messageId ? current.work : null))
