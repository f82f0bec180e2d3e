/** Feedback on messages: shown at once, taken back when the server refuses. */
import { feedback } from "@/api/calls"
import { wordsOf } from "@/api/client"
import type { Feedback, FeedbackInput } from "@/api/types"
import { toast } from "@/parts/Toasts"
import { useClient } from "@/store/react"
import { threadOf } from "@/store/state"
import type { Message } from "@/store/tree"
import { useThreadContext } from "./context"

/** Kinds of which a message has one from each person; another replaces it. */
const single = new Set<Feedback["kind"]>(["thumb", "correction"])

const added = (list: readonly Feedback[], item: Feedback) => [
  ...list.filter(({ id, kind }) => id !== item.id && !(single.has(kind) && kind === item.kind)),
  item,
]

function draftOf(message: Message, input: FeedbackInput): Feedback {
  const at = new Date().toISOString()
  return {
    id: `draft:${crypto.randomUUID()}`,
    message_id: message.id,
    conversation_id: "",
    kind: input.kind,
    value: "value" in input ? input.value : null,
    text: "text" in input ? input.text : null,
    created_at: at,
    updated_at: at,
  }
}

/** What can be done with a message's feedback. All return whether the server took it. */
export function useFeedback() {
  const client = useClient()
  const { threadId } = useThreadContext()

  const listOf = (messageId: string) =>
    threadOf(client.state, threadId)?.tree.messages[messageId]?.feedback ?? []
  const show = (messageId: string, list: readonly Feedback[]) =>
    client.change(threadId, messageId, { feedback: list })

  async function attempt(
    messageId: string,
    shown: readonly Feedback[],
    call: () => Promise<Feedback | undefined>,
  ) {
    const before = listOf(messageId)
    show(messageId, shown)
    try {
      const kept = await call()
      if (kept) {
        const drafts = listOf(messageId).filter(({ id }) => !id.startsWith("draft:"))
        show(messageId, added(drafts, kept))
      }
      return true
    } catch (error) {
      show(messageId, before)
      toast(`Not kept. ${wordsOf(error)}`, { look: "error" })
      return false
    }
  }

  return {
    give: (message: Message, input: FeedbackInput) =>
      attempt(message.id, added(listOf(message.id), draftOf(message, input)), () =>
        feedback.give(message.id, input),
      ),
    change: (item: Feedback, text: string) =>
      attempt(item.message_id, added(listOf(item.message_id), { ...item, text }), () =>
        feedback.change(item.id, { text }),
      ),
    withdraw: (item: Feedback) =>
      attempt(
        item.message_id,
        listOf(item.message_id).filter(({ id }) => id !== item.id),
        async () => {
          await feedback.withdraw(item.id)
          return undefined
        },
      ),
  }
}

export const thumbOf = (message: Message) => message.feedback.find(({ kind }) => kind === "thumb")

/** Sets a thumb; the same thumb again takes it back. */
export function useGiveThumb() {
  const { give, withdraw } = useFeedback()
  return (message: Message, value: 1 | -1) => {
    const before = thumbOf(message)
    return before?.value === value ? withdraw(before) : give(message, { kind: "thumb", value })
  }
}
