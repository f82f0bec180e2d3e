/** Threads whose answers leave out what was learned, for as long as the window is open. */
import { useSyncExternalStore } from "react"
import type { AnswerOptions } from "@/protocol"
import { useChat } from "@/store/react"
import { threadOf } from "@/store/state"
import { useThreadContext } from "./context"

let without: ReadonlySet<string> = new Set()
const listeners = new Set<() => void>()

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function toggle(key: string) {
  const next = new Set(without)
  if (!next.delete(key)) next.add(key)
  without = next
  for (const listener of listeners) listener()
}

/** What the next answer of this thread is made with. A thread keeps its choice when the server names it. */
export function useAnswerOptions(threadId: string) {
  const key = useChat((state) => threadOf(state, threadId)?.viewKey ?? threadId)
  const unlearned = useSyncExternalStore(subscribe, () => without.has(key))
  const options: AnswerOptions | undefined = unlearned ? { learned: false } : undefined
  return { unlearned, options, toggle: () => toggle(key) }
}

export const useThreadOptions = () => useAnswerOptions(useThreadContext().threadId)
