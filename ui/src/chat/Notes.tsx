import { Pencil, X } from "lucide-react"
import { type FormEvent, lazy, Suspense, useState } from "react"
import type { Feedback } from "@/api/types"
import { Following } from "@/learning/Following"
import { IconButton } from "@/parts/Button"
import type { Message } from "@/store/tree"
import { answerActions } from "./actions"
import { useFeedback } from "./feedback"

const Changes = lazy(() => import("./Changes"))

const names: Record<Feedback["kind"], string> = {
  thumb: "",
  correction: "Corrected",
  always: "Always",
  never: "Never",
  note: "Note",
}

/** What the person wrote beside an answer: in the margin where there is one, below where there is none. */
export function Notes({ message }: { message: Message }) {
  const notes = message.feedback.filter(({ kind }) => kind !== "thumb")
  if (notes.length === 0) return null
  return (
    <aside
      aria-label="What you taught here"
      className="mt-4 flex flex-col gap-3 @min-[62rem]/thread:absolute @min-[62rem]/thread:top-5 @min-[62rem]/thread:left-[calc(100%+1.75rem)] @min-[62rem]/thread:mt-0 @min-[62rem]/thread:w-[min(15rem,calc((100cqw-40rem)/2-1.5rem))]"
    >
      {notes.map((note) => (
        <Note key={note.id} note={note} message={message} />
      ))}
    </aside>
  )
}

function Note({ note, message }: { note: Feedback; message: Message }) {
  const [editing, setEditing] = useState(false)
  const [shown, setShown] = useState(false)
  const { withdraw } = useFeedback()
  const edit = () =>
    note.kind === "correction" ? answerActions.open("correct", message.id) : setEditing(true)
  return (
    <div className="settle group/note relative border-l-2 border-lamp pr-14 pl-3">
      <p className="text-xs font-semibold text-lamp-ink">{names[note.kind]}</p>
      {editing ? (
        <EditNote note={note} onDone={() => setEditing(false)} />
      ) : note.kind === "correction" ? (
        <button
          type="button"
          onClick={() => setShown(true)}
          className="text-left font-serif text-base text-soft italic underline-offset-4 hover:underline"
        >
          Your version is kept. See the changes
        </button>
      ) : (
        <p className="font-serif text-base leading-snug break-words text-soft italic">
          {note.text}
        </p>
      )}
      {!editing && <Following feedback={note} />}
      <div className="absolute top-0 right-0 flex opacity-0 transition-opacity group-hover/note:opacity-100 focus-within:opacity-100 touch:opacity-100">
        <IconButton label="Change" size="small" onClick={edit}>
          <Pencil />
        </IconButton>
        <IconButton label="Take back" size="small" onClick={() => withdraw(note)}>
          <X />
        </IconButton>
      </div>
      {shown && (
        <Suspense>
          <Changes
            before={message.content}
            after={note.text ?? ""}
            onClose={() => setShown(false)}
          />
        </Suspense>
      )}
    </div>
  )
}

function EditNote({ note, onDone }: { note: Feedback; onDone: () => void }) {
  const [text, setText] = useState(note.text ?? "")
  const { change } = useFeedback()
  const save = (event?: FormEvent) => {
    event?.preventDefault()
    const words = text.trim()
    onDone()
    if (words && words !== note.text) void change(note, words)
  }
  return (
    <form onSubmit={save}>
      <textarea
        aria-label={names[note.kind]}
        // biome-ignore lint/a11y/noAutofocus: the person asked to write here
        autoFocus
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => save()}
        onKeyDown={(event) => {
          if (event.key === "Escape") onDone()
          if (event.key === "Enter" && !event.shiftKey) save(event)
        }}
        className="field-sizing-content w-full resize-none rounded-sm bg-raised p-1 font-serif text-base leading-snug italic outline-1 outline-lamp-line"
      />
    </form>
  )
}
