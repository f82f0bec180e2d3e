import { createContext, useContext } from "react"
import { useChat } from "@/store/react"
import { threadOf } from "@/store/state"
import type { Message, Tree } from "@/store/tree"

interface ThreadValue {
  threadId: string
  tree: Tree
}

export const ThreadContext = createContext<ThreadValue | null>(null)

export function useThreadContext(): ThreadValue {
  const value = useContext(ThreadContext)
  if (!value) throw new Error("used outside a thread")
  return value
}

export function useMessage(id: string): Message | undefined {
  const { threadId } = useThreadContext()
  return useChat((state) => threadOf(state, threadId)?.tree.messages[id])
}
