/** The feedback behind something: what was said, when, and the way back to where. */
import { ArrowUpRight, ThumbsDown, ThumbsUp } from "lucide-react"
import type { Feedback, LearnedSource, LineageFeedback } from "@/api/types"
import { Link } from "@/parts/Link"
import { Chip } from "@/parts/Small"
import { ago, fullTime } from "@/parts/time"
import { feedbackWords } from "./words"

const kindOf = (kind: string | null) => feedbackWords[kind as Feedback["kind"]] ?? "Feedback"

/** Leads to the message that something was said about. */
export function ToMessage({
  conversationId,
  messageId,
  label,
  onFollow,
}: {
  conversationId: string | null
  messageId: string | null
  label: string
  onFollow?: () => void
}) {
  if (!conversationId || !messageId) return null
  return (
    <Link
      href={`/c/${conversationId}#${messageId}`}
      onClick={onFollow}
      aria-label={label}
      title={label}
      className="grid size-7 shrink-0 place-items-center rounded-md text-faint hover:bg-hover hover:text-ink touch:size-9 [&_svg]:size-4"
    >
      <ArrowUpRight />
    </Link>
  )
}

export function FeedbackItem({ item, onFollow }: { item: LineageFeedback; onFollow?: () => void }) {
  return (
    <li className="flex items-start gap-2 py-2">
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 text-xs text-faint">
          <span className="font-semibold text-lamp-ink">{kindOf(item.kind)}</span>
          {item.created_at && (
            <time dateTime={item.created_at} title={fullTime(item.created_at)}>
              {ago(item.created_at)}
            </time>
          )}
          {item.withdrawn && <Chip look="rose">taken back</Chip>}
        </p>
        <Words item={item} />
      </div>
      {item.mine && (
        <ToMessage
          conversationId={item.conversation_id}
          messageId={item.message_id}
          label="Where it was said"
          onFollow={onFollow}
        />
      )}
    </li>
  )
}

function Words({ item }: { item: LineageFeedback }) {
  if (!item.mine)
    return <p className="text-sm text-faint">Somebody else's; its words stay closed.</p>
  if (item.kind === "thumb")
    return (
      <p className="flex items-center gap-1.5 text-sm text-soft [&_svg]:size-3.5">
        {item.value === 1 ? <ThumbsUp /> : <ThumbsDown />}
        {item.value === 1 ? "A good answer" : "Not a good answer"}
      </p>
    )
  return (
    <p className="line-clamp-3 font-serif text-base leading-snug break-words whitespace-pre-line">
      {item.text}
    </p>
  )
}

/** What an item was read from, one link each. */
export function Sources({ sources }: { sources: readonly LearnedSource[] }) {
  return (
    <ul className="mt-2 flex flex-col border-l-2 border-lamp-line pl-3">
      {sources.map((source) => (
        <li key={source.id} className="flex items-center gap-2 text-sm text-soft">
          <span className="flex-1">
            {source.kind === "message" ? "Something you wrote" : `Feedback: ${kindOf(source.kind)}`}
            <span className="ml-2 text-xs text-faint" title={fullTime(source.at)}>
              {ago(source.at)}
            </span>
          </span>
          <ToMessage
            conversationId={source.conversation_id}
            messageId={source.message_id}
            label="Where it was said"
          />
        </li>
      ))}
    </ul>
  )
}
