/** The chat client for components: one per signed-in account, from context. */
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react"
import { ChatClient, type ClientEvents } from "./client"
import type { Link } from "./link"
import type { ChatState, Thread } from "./state"
import { threadOf } from "./state"

const ClientContext = createContext<ChatClient | null>(null)

const socketUrl = () => `${location.origin.replace(/^http/, "ws")}/v1/chat/stream`

interface Props {
  accountId: string
  events: ClientEvents
  children: ReactNode
}

export function ChatProvider({ accountId, events, children }: Props) {
  const latest = useRef(events)
  latest.current = events
  const [client] = useState(
    () =>
      new ChatClient(accountId, socketUrl(), {
        finished: (message) => latest.current.finished(message),
        lost: (threadId) => latest.current.lost(threadId),
        news: () => latest.current.news(),
        doubt: () => latest.current.doubt(),
        signedOut: () => latest.current.signedOut(),
      }),
  )
  useEffect(() => {
    client.start()
    return () => client.stop()
  }, [client])
  return <ClientContext value={client}>{children}</ClientContext>
}

export function useClient(): ChatClient {
  const client = useContext(ClientContext)
  if (!client) throw new Error("used outside the chat")
  return client
}

/** A part of the chat's state. The selector must return the same object while nothing changed. */
export function useChat<T>(selector: (state: ChatState) => T): T {
  const client = useClient()
  return useSyncExternalStore(client.subscribe, () => selector(client.state))
}

export const useThread = (id: string): Thread | undefined => useChat((state) => threadOf(state, id))

export function useLink(): Link {
  const client = useClient()
  return useSyncExternalStore(client.subscribe, () => client.link)
}
