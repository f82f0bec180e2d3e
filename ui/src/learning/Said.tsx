import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query"
import { Pencil, Sprout, ThumbsDown, ThumbsUp, Trash2 } from "lucide-react"
import { useState } from "react"
import { feedback, learning } from "@/api/calls"
import type { Feedback } from "@/api/types"
import { Button, IconButton } from "@/parts/Button"
import { Segmented } from "@/parts/Field"
import { Bars, Failed } from "@/parts/States"
import { ago } from "@/parts/time"
import { ToMessage } from "./Evidence"
import { Following } from "./Following"
import { InlineEdit } from "./InlineEdit"
import { adaptersKey, learnedKey, useChange } from "./queries"
import { influenceKey } from "./useFollowing"
import { useLit } from "./useLit"
import { adapterTitle, feedbackWords, many, versionWords } from "./words"

const key = ["said"] as const

type Shown = "all" | "rules" | "corrections" | "notes" | "thumbs"

const kinds: Record<Shown, readonly Feedback["kind"][]> = {
  all: ["always", "never", "correction", "note", "thumb"],
  rules: ["always", "never"],
  corrections: ["correction"],
  notes: ["note"],
  thumbs: ["thumb"],
}
const choices = [
  { value: "all", label: "All" },
  { value: "rules", label: "Rules" },
  { value: "corrections", label: "Corrections" },
  { value: "notes", label: "Notes" },
  { value: "thumbs", label: "Thumbs" },
] as const

/** Everything the person ever said about an answer, to be changed or taken back. */
export function Said() {
  const [shown, setShown] = useState<Shown>("all")
  const list = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => feedback.page(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  })
  const items = (list.data?.pages.flatMap((page) => page.items) ?? []).filter(({ kind }) =>
    kinds[shown].includes(kind),
  )
  return (
    <>
      <div className="-mx-1 overflow-x-auto px-1 pb-1">
        <Segmented label="Show" value={shown} choices={choices} onChange={setShown} />
      </div>
      {list.isPending && <Bars rows={4} className="mt-6" />}
      {list.isError && <Failed what="No list" error={list.error} onRetry={() => list.refetch()} />}
      {list.isSuccess && items.length === 0 && (
        <p className="py-8 text-sm text-faint">
          Nothing of that kind. The signs to say something are under every answer.
        </p>
      )}
      <ul className="mt-3">
        {items.map((item) => (
          <Row key={item.id} item={item} />
        ))}
      </ul>
      {list.hasNextPage && (
        <Button
          small
          className="mt-4"
          busy={list.isFetchingNextPage}
          onClick={() => list.fetchNextPage()}
        >
          Show more
        </Button>
      )}
    </>
  )
}

function Row({ item }: { item: Feedback }) {
  const queries = useQueryClient()
  const [editing, setEditing] = useState(false)
  const [led, setLed] = useState(false)
  const lit = useLit<HTMLLIElement>(item.id)
  const change = useChange((text: string) => feedback.change(item.id, { text }), key)
  const withdraw = useChange(
    async () => {
      await feedback.withdraw(item.id)
      await queries.invalidateQueries({ queryKey: ["messages", item.conversation_id] })
    },
    key,
    learnedKey,
    adaptersKey,
  )
  return (
    <li ref={lit} className="border-t border-line py-4">
      <div className="flex items-start gap-3">
        <div className="min-w-0 flex-1 border-l-2 border-lamp pl-3.5">
          <p className="flex items-center gap-2 text-xs font-semibold text-lamp-ink">
            {feedbackWords[item.kind]}
            <span className="font-normal text-faint">{ago(item.updated_at)}</span>
          </p>
          {editing ? (
            <InlineEdit
              label="Words"
              text={item.text ?? ""}
              onDone={(text) => {
                setEditing(false)
                if (text && text !== item.text) change.mutate(text)
              }}
            />
          ) : (
            <Words item={item} />
          )}
          <Following feedback={item} />
        </div>
        <div className="flex">
          <IconButton
            label="What it led to"
            aria-expanded={led}
            className="aria-expanded:text-lamp-ink"
            onClick={() => setLed(!led)}
          >
            <Sprout />
          </IconButton>
          <ToMessage
            conversationId={item.conversation_id}
            messageId={item.message_id}
            label="To the answer"
          />
          {item.kind !== "thumb" && (
            <IconButton label="Change" onClick={() => setEditing(true)}>
              <Pencil />
            </IconButton>
          )}
          <IconButton
            label="Take back"
            disabled={withdraw.isPending}
            onClick={() => withdraw.mutate(undefined)}
          >
            <Trash2 />
          </IconButton>
        </div>
      </div>
      {led && <Led id={item.id} />}
    </li>
  )
}

function Words({ item }: { item: Feedback }) {
  if (item.kind === "thumb")
    return (
      <p className="mt-1 flex items-center gap-2 text-sm text-soft [&_svg]:size-4">
        {item.value === 1 ? <ThumbsUp /> : <ThumbsDown />}
        {item.value === 1 ? "A good answer" : "Not a good answer"}
      </p>
    )
  return (
    <p className="mt-0.5 line-clamp-4 font-serif text-lg leading-snug break-words">{item.text}</p>
  )
}

/** Every version that learned from it, and how many answers each has made. */
function Led({ id }: { id: string }) {
  const influence = useQuery({
    queryKey: influenceKey(id),
    queryFn: () => learning.influence(id),
    staleTime: 0,
  })
  const adapters = useQuery({ queryKey: adaptersKey, queryFn: learning.adapters })
  const known = new Map(adapters.data?.items.map((each) => [each.id, each]))
  if (influence.isPending) return <Bars rows={1} className="mt-3" />
  if (influence.isError)
    return <p className="mt-2 pl-4 text-sm text-faint">What it led to can't be read just now.</p>
  const { versions } = influence.data
  return (
    <div className="settle mt-2.5 pl-4 text-sm">
      {versions.length === 0 ? (
        <p className="text-faint">To nothing yet. It counts from the next training on.</p>
      ) : (
        <ul className="flex flex-col gap-1">
          {versions.map(({ adapter_id, name, version, state, serving, answers }) => (
            <li key={`${adapter_id} ${version}`} className="flex flex-wrap gap-x-2 text-soft">
              <span>
                {adapterTitle(known.get(adapter_id) ?? { name, kind: null })}, version {version}
              </span>
              <span className="text-faint">
                {versionWords({ state: state as "promoted", serving })},{" "}
                {answers === 0 ? "no answers so far" : `in ${many(answers, "answer")}`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
