import { Check, Pencil, Trash2 } from "lucide-react"
import { useState } from "react"
import { learning } from "@/api/calls"
import type { LearnedPreference } from "@/api/types"
import { Button, IconButton } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Chip, type ChipLook } from "@/parts/Small"
import { ago } from "@/parts/time"
import { Toggle } from "@/settings/Group"
import { Sources } from "./Evidence"
import { GateBar } from "./GateBar"
import { InlineEdit } from "./InlineEdit"
import { learnedKey, useChange } from "./queries"
import { useLit } from "./useLit"
import { many } from "./words"

const states: Record<LearnedPreference["state"], { words: string; look: ChipLook }> = {
  open: { words: "a guess", look: "plain" },
  confirmed: { words: "confirmed", look: "lamp" },
  corrected: { words: "in your words", look: "lamp" },
}

export function Preferences({ items }: { items: readonly LearnedPreference[] }) {
  return (
    <ul>
      {items.map((item) => (
        <Row key={item.id} item={item} />
      ))}
    </ul>
  )
}

function Row({ item }: { item: LearnedPreference }) {
  const [editing, setEditing] = useState(false)
  const [removing, setRemoving] = useState(false)
  const lit = useLit<HTMLLIElement>(item.id)
  const change = useChange(
    (body: Parameters<typeof learning.changePreference>[1]) =>
      learning.changePreference(item.id, body),
    learnedKey,
  )
  const remove = useChange(() => learning.deletePreference(item.id), learnedKey)
  const { words, look } = states[item.state]
  return (
    <li
      ref={lit}
      className={`flex flex-col gap-x-6 gap-y-2 border-t border-line py-4 sm:flex-row sm:items-start ${item.active ? "" : "text-faint"}`}
    >
      <div
        className={`min-w-0 flex-1 border-l-2 pl-3.5 ${item.active ? "border-lamp" : "border-line-strong"}`}
      >
        {editing ? (
          <InlineEdit
            label="The wish in your words"
            text={item.statement}
            onDone={(text) => {
              setEditing(false)
              if (text && text !== item.statement) change.mutate({ statement: text })
            }}
          />
        ) : (
          <p className="font-serif text-lg leading-snug break-words">{item.statement}</p>
        )}
        <p className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-faint">
          <Chip look={look}>{words}</Chip>
          {item.superseded && (
            <Chip title="Answers follow what you said later, for as long as it stands">
              you said otherwise since
            </Chip>
          )}
          {item.state === "open" && <Confidence value={item.confidence} />}
          <span>
            noticed {many(item.seen, "time")}, last {ago(item.last_seen_at)}
          </span>
        </p>
        {item.sources.length > 0 && (
          <details className="mt-2 text-sm">
            <summary className="text-soft hover:text-ink">Where it comes from</summary>
            <Sources sources={item.sources} />
          </details>
        )}
      </div>
      <div className="flex items-center gap-1 pl-3.5 sm:pl-0">
        {item.state === "open" && (
          <Button
            small
            look="plain"
            busy={change.isPending}
            onClick={() => change.mutate({ confirmed: true })}
          >
            <Check className="size-3.5" /> That is so
          </Button>
        )}
        <IconButton label="Put it right" onClick={() => setEditing(true)}>
          <Pencil />
        </IconButton>
        <IconButton label="Delete" onClick={() => setRemoving(true)}>
          <Trash2 />
        </IconButton>
        {(item.state !== "open" || !item.active) && (
          <span className="ml-2">
            <Toggle
              label={`Follow “${item.statement}”`}
              on={item.active}
              onChange={(active) => change.mutate({ active })}
            />
          </span>
        )}
      </div>
      {removing && (
        <Confirm
          title="Delete this wish?"
          action="Delete"
          busy={remove.isPending}
          onClose={() => setRemoving(false)}
          onConfirm={() => remove.mutate(undefined, { onSettled: () => setRemoving(false) })}
        >
          “{item.statement}” is forgotten, and not read again from the same words. What you wrote
          stays in its conversation.
        </Confirm>
      )}
    </li>
  )
}

/** How sure the guess is. */
function Confidence({ value }: { value: number }) {
  const percent = Math.round(value * 100)
  return (
    <span className="flex items-center gap-1.5">
      <GateBar value={value} label="How sure" words={`${percent} %`} className="w-12" />
      {percent} % sure
    </span>
  )
}
