import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query"
import { ArrowUpRight, Pencil, ThumbsDown, ThumbsUp, X } from "lucide-react"
import { type FormEvent, useState } from "react"
import { feedback } from "@/api/calls"
import type { Feedback } from "@/api/types"
import { Button, IconButton } from "@/parts/Button"
import { Segmented } from "@/parts/Field"
import { Link } from "@/parts/Link"
import { Bars, Empty, Failed } from "@/parts/States"
import { toast } from "@/parts/Toasts"
import { ago } from "@/parts/time"

const key = ["taught"] as const

type Shown = "all" | "rules" | "corrections" | "thumbs"

const kinds: Record<Shown, readonly Feedback["kind"][]> = {
  all: ["always", "never", "correction", "note", "thumb"],
  rules: ["always", "never"],
  corrections: ["correction"],
  thumbs: ["thumb"],
}
const choices = [
  { value: "all", label: "All" },
  { value: "rules", label: "Rules" },
  { value: "corrections", label: "Corrections" },
  { value: "thumbs", label: "Thumbs" },
] as const

const names: Record<Feedback["kind"], string> = {
  always: "Always",
  never: "Never",
  correction: "Corrected",
  note: "Note",
  thumb: "Thumb",
}

/** Everything the person ever said about an answer, to be changed or taken back. */
export function Taught() {
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
      <p className="mb-4 max-w-xl text-sm text-faint">
        Your rules, corrections and thumbs are the evidence that liminal learns from. What you take
        back here counts no more.
      </p>
      <Segmented label="Show" value={shown} choices={choices} onChange={setShown} />
      {list.isPending && <Bars rows={4} className="mt-6" />}
      {list.isError && <Failed what="No list" error={list.error} onRetry={() => list.refetch()} />}
      {list.isSuccess && items.length === 0 && (
        <Empty title="Nothing taught yet">
          Correct an answer, or tell it what always or never to do: the signs are under every
          answer.
        </Empty>
      )}
      <ul className="mt-5">
        {items.map((item) => (
          <Row key={item.id} item={item} />
        ))}
      </ul>
      {list.hasNextPage && (
        <Button small className="mt-4" onClick={() => list.fetchNextPage()}>
          Show more
        </Button>
      )}
    </>
  )
}

function Row({ item }: { item: Feedback }) {
  const queries = useQueryClient()
  const [editing, setEditing] = useState(false)
  const settle = {
    onSuccess: () => queries.invalidateQueries({ queryKey: key }),
    onError: () => toast("That was not kept.", { look: "error" }),
  }
  const change = useMutation({
    mutationFn: (text: string) => feedback.change(item.id, { text }),
    ...settle,
  })
  const withdraw = useMutation({ mutationFn: () => feedback.withdraw(item.id), ...settle })
  return (
    <li className="flex items-start gap-3 border-t border-line py-4">
      <div className="min-w-0 flex-1 border-l-2 border-lamp pl-3.5">
        <p className="flex items-center gap-2 text-xs font-semibold text-lamp-ink">
          {names[item.kind]}
          <span className="font-normal text-faint">{ago(item.updated_at)}</span>
        </p>
        {editing ? (
          <Edit
            text={item.text ?? ""}
            onDone={(text) => {
              setEditing(false)
              if (text && text !== item.text) change.mutate(text)
            }}
          />
        ) : (
          <Words item={item} />
        )}
      </div>
      <div className="flex">
        <Link
          href={`/c/${item.conversation_id}#${item.message_id}`}
          aria-label="To the answer"
          title="To the answer"
          className="grid size-8 place-items-center rounded-md text-faint hover:bg-hover hover:text-ink [&_svg]:size-4"
        >
          <ArrowUpRight />
        </Link>
        {item.kind !== "thumb" && (
          <IconButton label="Change" onClick={() => setEditing(true)}>
            <Pencil />
          </IconButton>
        )}
        <IconButton
          label="Take back"
          disabled={withdraw.isPending}
          onClick={() => withdraw.mutate()}
        >
          <X />
        </IconButton>
      </div>
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

function Edit({ text, onDone }: { text: string; onDone: (text: string) => void }) {
  const [value, setValue] = useState(text)
  const save = (event: FormEvent) => {
    event.preventDefault()
    onDone(value.trim())
  }
  return (
    <form onSubmit={save} className="mt-1">
      <textarea
        aria-label="Words"
        // biome-ignore lint/a11y/noAutofocus: the person asked to write here
        autoFocus
        value={value}
        onChange={(event) => setValue(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && onDone(text)}
        className="field-sizing-content max-h-[50vh] w-full resize-none rounded-md border border-lamp-line bg-raised p-2 font-serif text-lg leading-snug outline-none focus:border-lamp"
      />
      <div className="mt-2 flex gap-2">
        <Button small look="lamp" type="submit" disabled={!value.trim()}>
          Keep
        </Button>
        <Button small look="plain" onClick={() => onDone(text)}>
          Cancel
        </Button>
      </div>
    </form>
  )
}
