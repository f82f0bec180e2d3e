import { useQuery } from "@tanstack/react-query"
import { useEffect, useState } from "react"
import { conversations } from "@/api/calls"
import { ApiError } from "@/api/client"
import { Empty, Failed, Waiting } from "@/parts/States"
import { navigate } from "@/router"
import { titleOf, useConversations } from "@/shell/conversations"
import { useShortcut } from "@/shell/shortcuts"
import { TopBar } from "@/shell/TopBar"
import { useChat, useClient, useThread } from "@/store/react"
import { isLocal, localThreadId } from "@/store/state"
import { ThreadView } from "./ThreadView"

/** A conversation, or with `id` null the place where one begins. */
export function ConversationPage({ id }: { id: string | null }) {
  const [fresh, renew] = useFreshThread(id === null)
  const threadId = id ?? fresh
  const thread = useThread(threadId)
  // what began in this window is known whole, before any list or history tells it
  const ours = useChat((state) => id !== null && Object.values(state.adopted).includes(id))
  const history = useHistory(ours ? null : id)
  useShortcut("newChat", () => {
    renew()
    navigate("/")
  })

  const title = useTitle(id, ours)
  useEffect(() => {
    document.title = title ? `${title} · liminal` : "liminal"
  }, [title])

  const missing = history.error instanceof ApiError && history.error.status === 404
  const known = thread?.loaded || id === null
  return (
    <div className="flex h-full flex-col">
      <TopBar title={title} />
      {known ? (
        <ThreadView key={thread?.viewKey ?? threadId} threadId={threadId} thread={thread} />
      ) : missing ? (
        <Empty title="This conversation is gone">It was deleted, or it was never yours.</Empty>
      ) : history.isError ? (
        <Failed
          what="The conversation can't be read"
          error={history.error}
          onRetry={() => history.refetch()}
        />
      ) : (
        <Waiting label="Reading the conversation" />
      )}
    </div>
  )
}

const freshId = () => localThreadId(crypto.randomUUID())

/** The thread that the next new conversation will be; once the server has named it, its address follows. */
function useFreshThread(shown: boolean): [string, () => void] {
  const client = useClient()
  // a first message that was on its way when the page was reloaded is still on its way
  const [fresh, setFresh] = useState(
    () =>
      Object.values(client.state.pending).find(({ threadId }) => isLocal(threadId))?.threadId ??
      freshId(),
  )
  const adopted = useChat((state) => state.adopted[fresh])
  useEffect(() => {
    if (!adopted) return
    if (shown) navigate(`/c/${adopted}`, "replace")
    setFresh(freshId())
  }, [adopted, shown])
  return [fresh, () => setFresh(freshId())]
}

function useHistory(id: string | null) {
  const client = useClient()
  return useQuery({
    queryKey: ["messages", id],
    enabled: id !== null,
    queryFn: async () => {
      if (id === null) return 0
      const rows = await conversations.messages(id)
      client.loaded(id, rows)
      return rows.length
    },
  })
}

function useTitle(id: string | null, ours: boolean): string {
  const list = useConversations(false)
  const listed = list.items.find((each) => each.id === id)
  const single = useQuery({
    queryKey: ["conversations", "one", id],
    queryFn: () => conversations.get(id ?? ""),
    enabled: id !== null && !ours && list.isSuccess && listed === undefined,
    retry: false,
  })
  const conversation = listed ?? single.data
  if (conversation) return titleOf(conversation)
  return id === null ? "" : "Conversation"
}
