import { MessagePrimitive } from "@assistant-ui/react"
import { PenLine, Quote, RefreshCw, ThumbsDown, ThumbsUp } from "lucide-react"
import { lazy, Suspense } from "react"
import { Markdown } from "@/markdown/Markdown"
import { Button, IconButton } from "@/parts/Button"
import { Door } from "@/parts/Door"
import { CopyButton } from "@/parts/Small"
import { Bars } from "@/parts/States"
import { shownHint } from "@/shell/shortcuts"
import { Link } from "@/store/link"
import { useChat, useClient, useLink } from "@/store/react"
import { type Message, Progress } from "@/store/tree"
import { answerActions, useWork } from "./actions"
import { useThreadContext } from "./context"
import { thumbOf, useGiveThumb } from "./feedback"
import { Making } from "./Making"
import { Notes } from "./Notes"
import { Teach } from "./Teach"
import { useThreadOptions } from "./unlearned"
import { Versions } from "./Versions"

const Correction = lazy(() => import("./Correction"))

const unfinished = new Set([Progress.Sending, Progress.Waiting, Progress.Streaming])

export function Answer({ message, last }: { message: Message; last: boolean }) {
  const work = useWork(message.id)
  const writing = unfinished.has(message.progress)
  const correcting = work === "correct" && !writing
  return (
    <MessagePrimitive.Root
      render={<article aria-label="liminal" />}
      id={message.id}
      className="group/message relative mx-auto w-full max-w-[40rem] scroll-mt-6 pt-5"
    >
      {correcting ? (
        <Suspense fallback={<Bars rows={4} />}>
          <Correction message={message} />
        </Suspense>
      ) : (
        message.content && (
          <Markdown text={message.content} writing={message.progress === Progress.Streaming} />
        )
      )}
      {writing && !message.content && <Pondering message={message} />}
      {message.progress === Progress.Failed && <Failure message={message} />}
      {message.progress === Progress.Stopped && (
        <p className="mt-3 text-sm text-faint">Stopped here.</p>
      )}
      {!writing && !correcting && message.content && <Bar message={message} last={last} />}
      {(work === "rule" || work === "note") && <Teach message={message} work={work} />}
      <Notes message={message} />
    </MessagePrimitive.Root>
  )
}

/** Before the first word. */
function Pondering({ message }: { message: Message }) {
  const link = useLink()
  const held = link !== Link.Open && message.progress === Progress.Sending
  return (
    <p className="flex h-8 items-center gap-3 text-sm text-faint">
      <Door className="size-6" lit="breathing" />
      {held ? (
        "Kept. It goes out when the connection is back."
      ) : (
        <span className="appear-late">
          {message.progress === Progress.Sending ? "Sending" : "Thinking"}
        </span>
      )}
    </p>
  )
}

function Failure({ message }: { message: Message }) {
  const client = useClient()
  const { threadId } = useThreadContext()
  const { options } = useThreadOptions()
  const refused = useChat((state) =>
    Object.values(state.pending).find(({ answerId }) => answerId === message.id),
  )
  return (
    <div role="alert" className="mt-3 rounded-lg border border-rose/35 bg-rose-wash px-4 py-3">
      <p className="text-sm font-semibold text-rose">No answer this time</p>
      <p className="mt-0.5 text-sm text-soft">{message.failure?.message}</p>
      <div className="mt-3 flex gap-2">
        <Button small onClick={() => client.regenerate(threadId, message, options)}>
          <RefreshCw className="size-3.5" />
          Try again
        </Button>
        {refused && (
          <Button small look="plain" onClick={() => client.discard(refused.clientId)}>
            Discard
          </Button>
        )}
      </div>
    </div>
  )
}

const taught = "aria-pressed:text-lamp-ink aria-pressed:[&_svg]:fill-lamp/60"

function Bar({ message, last }: { message: Message; last: boolean }) {
  const client = useClient()
  const { threadId } = useThreadContext()
  const { options } = useThreadOptions()
  const giveThumb = useGiveThumb()
  const thumb = thumbOf(message)?.value
  const judge = async (value: 1 | -1) => {
    const kept = await giveThumb(message, value)
    if (kept && value === -1 && thumb !== -1) answerActions.open("rule", message.id)
  }
  return (
    <div
      className={`mt-2 -ml-2 flex min-h-8 flex-wrap items-center transition-opacity group-hover/message:opacity-100 focus-within:opacity-100 touch:opacity-100 ${last ? "" : "opacity-0 has-[[data-versions]]:opacity-100"}`}
    >
      <Versions id={message.id} what="answer" />
      <IconButton
        label="Good answer"
        hint={shownHint("good")}
        pressed={thumb === 1}
        className={taught}
        onClick={() => judge(1)}
      >
        <ThumbsUp />
      </IconButton>
      <IconButton
        label="Not a good answer"
        hint={shownHint("bad")}
        pressed={thumb === -1}
        className={taught}
        onClick={() => judge(-1)}
      >
        <ThumbsDown />
      </IconButton>
      <IconButton
        label="Correct it"
        hint={shownHint("correct")}
        onClick={() => answerActions.open("correct", message.id)}
      >
        <PenLine />
      </IconButton>
      <IconButton label="Give a rule" onClick={() => answerActions.open("rule", message.id)}>
        <Quote />
      </IconButton>
      <span aria-hidden="true" className="mx-1.5 h-4 w-px bg-line touch:mx-0.5" />
      <CopyButton text={message.content} label="Copy answer" />
      <IconButton
        label="Another answer"
        hint={shownHint("again")}
        onClick={() => client.regenerate(threadId, message, options)}
      >
        <RefreshCw />
      </IconButton>
      {message.trace && <Making message={message} trace={message.trace} />}
    </div>
  )
}
