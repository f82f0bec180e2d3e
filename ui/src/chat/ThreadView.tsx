import {
  type AppendMessage,
  AssistantRuntimeProvider,
  ThreadPrimitive,
  type ThreadMessageLike,
  useAuiState,
  useExternalStoreRuntime,
} from "@assistant-ui/react"
import { ArrowDown } from "lucide-react"
import { useEffect, useMemo } from "react"
import { useHash } from "@/router"
import { useAccount } from "@/session"
import { useClient } from "@/store/react"
import type { Thread } from "@/store/state"
import { readDraft, writeDraft } from "@/store/storage"
import { emptyTree, type Message, Progress, shownPath, type Tree } from "@/store/tree"
import { Answer } from "./Answer"
import { Composer } from "./Composer"
import { ThreadContext, useMessage } from "./context"
import { Greeting } from "./Greeting"
import { Question } from "./Question"
import { ThreadShortcuts } from "./ThreadShortcuts"
import { useAnswerOptions } from "./unlearned"

const LIT_FOR = 2_400

const isSpoken = ({ role }: Message) => role === "user" || role === "assistant"
const moving = new Set([Progress.Sending, Progress.Waiting, Progress.Streaming])

/** One branch of a conversation, and where to write. */
export function ThreadView({ threadId, thread }: { threadId: string; thread: Thread | undefined }) {
  const client = useClient()
  const { options } = useAnswerOptions(threadId)
  const tree = thread?.tree ?? emptyTree
  const path = useMemo(() => shownPath(tree).filter(isSpoken), [tree])
  const last = path.at(-1)
  const running = last !== undefined && moving.has(last.progress)

  const runtime = useExternalStoreRuntime<Message>({
    messages: path,
    convertMessage: asAssistantUi,
    isRunning: running,
    onNew: async (message) => client.send(threadId, textOf(message), options),
    onCancel: async () => {
      if (last) client.stopAnswer(last.id)
    },
  })
  useDraft(threadId, runtime.thread.composer)
  useHashTarget(threadId, tree)

  return (
    <ThreadContext value={{ threadId, tree }}>
      <AssistantRuntimeProvider runtime={runtime}>
        <ThreadShortcuts path={path} />
        <ThreadPrimitive.Root className="flex min-h-0 flex-1 flex-col">
          {path.length === 0 ? (
            <Greeting>
              <Composer running={false} big />
            </Greeting>
          ) : (
            <>
              <ThreadPrimitive.Viewport
                turnAnchor="top"
                className="@container/thread min-h-0 flex-1 overflow-y-auto scroll-smooth px-4 sm:px-8"
              >
                <div role="log" aria-live="off" aria-label="Messages" className="pt-4 pb-10">
                  <ThreadPrimitive.Messages>{() => <MessageView />}</ThreadPrimitive.Messages>
                </div>
              </ThreadPrimitive.Viewport>
              <div className="relative bg-sheet px-4 pb-4 before:pointer-events-none before:absolute before:inset-x-0 before:-top-8 before:h-8 before:bg-linear-to-t before:from-sheet sm:px-8">
                <ThreadPrimitive.ScrollToBottom
                  className="absolute -top-11 left-1/2 grid size-8 -translate-x-1/2 place-items-center rounded-full border border-line bg-raised text-soft shadow-1 hover:text-ink disabled:invisible"
                  aria-label="To the newest message"
                >
                  <ArrowDown className="size-4" />
                </ThreadPrimitive.ScrollToBottom>
                <Composer running={running} />
              </div>
            </>
          )}
        </ThreadPrimitive.Root>
      </AssistantRuntimeProvider>
    </ThreadContext>
  )
}

function MessageView() {
  const id = useAuiState((state) => state.message.id)
  const last = useAuiState((state) => state.message.isLast)
  const message = useMessage(id)
  if (!message) return null
  return message.role === "user" ? (
    <Question message={message} />
  ) : (
    <Answer message={message} last={last} />
  )
}

const statuses: Record<Progress, ThreadMessageLike["status"]> = {
  [Progress.Sending]: { type: "running" },
  [Progress.Waiting]: { type: "running" },
  [Progress.Streaming]: { type: "running" },
  [Progress.Done]: { type: "complete", reason: "stop" },
  [Progress.Stopped]: { type: "incomplete", reason: "cancelled" },
  [Progress.Failed]: { type: "incomplete", reason: "error" },
}

function asAssistantUi(message: Message): ThreadMessageLike {
  const { id, content, createdAt, progress } = message
  const role = message.role === "user" ? "user" : "assistant"
  return {
    id,
    role,
    content,
    createdAt: new Date(createdAt),
    ...(role === "assistant" ? { status: statuses[progress] } : {}),
  }
}

const textOf = (message: AppendMessage): string =>
  message.content.map((part) => (part.type === "text" ? part.text : "")).join("")

interface ComposerRuntime {
  getState: () => { text: string }
  setText: (text: string) => void
  subscribe: (listener: () => void) => () => void
}

/** What was written but not sent is there again after a reload. */
function useDraft(threadId: string, composer: ComposerRuntime) {
  const account = useAccount()
  const slot = threadId.startsWith("new:") ? "new" : threadId
  useEffect(() => {
    const draft = readDraft(account.id, slot)
    if (draft && composer.getState().text === "") composer.setText(draft)
    let before = composer.getState().text
    return composer.subscribe(() => {
      const { text } = composer.getState()
      if (text === before) return
      before = text
      writeDraft(account.id, slot, text)
    })
  }, [account.id, slot, composer])
}

/** A search hit's address ends in the message that it is about: its branch is shown, and it is lit up. */
function useHashTarget(threadId: string, tree: Tree) {
  const client = useClient()
  const target = useHash()
  const known = target !== "" && target in tree.messages
  useEffect(() => {
    if (!known) return
    client.select(threadId, target)
    const frame = requestAnimationFrame(() => {
      const element = document.getElementById(target)
      element?.scrollIntoView({ block: "center" })
      element?.animate([{ backgroundColor: "var(--lamp-wash)" }, {}], LIT_FOR)
    })
    return () => cancelAnimationFrame(frame)
  }, [client, threadId, target, known])
}
