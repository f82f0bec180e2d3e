import { X } from "lucide-react"
import { type FormEvent, useEffect, useRef, useState } from "react"
import { Button, IconButton } from "@/parts/Button"
import { Segmented } from "@/parts/Field"
import type { Message } from "@/store/tree"
import { answerActions } from "./actions"
import { thumbOf, useFeedback } from "./feedback"

type Kind = "always" | "never" | "note"

const choices = [
  { value: "always", label: "Always" },
  { value: "never", label: "Never" },
  { value: "note", label: "Just a note" },
] as const

const examples: Record<Kind, string> = {
  always: "give amounts in grams",
  never: "end with “I hope this helps”",
  note: "too long for a quick question",
}

/** A rule or a note, in the person's own words. */
export function Teach({ message, work }: { message: Message; work: "rule" | "note" }) {
  const [kind, setKind] = useState<Kind>(work === "note" ? "note" : "always")
  const [text, setText] = useState("")
  const { give } = useFeedback()
  const form = useRef<HTMLFormElement>(null)
  useEffect(() => {
    // newer browsers return a promise here, which must not become the effect's cleanup
    form.current?.scrollIntoView({ block: "nearest" })
  }, [])
  const disliked = thumbOf(message)?.value === -1
  const save = async (event: FormEvent) => {
    event.preventDefault()
    const words = text.trim()
    if (words && (await give(message, { kind, text: words })))
      answerActions.finish(work, message.id)
  }
  return (
    <form
      ref={form}
      onSubmit={save}
      className="settle mt-3 scroll-mb-12 rounded-lg border border-lamp-line bg-lamp-wash p-3 pt-2.5"
      aria-label="Teach"
    >
      <div className="mb-2.5 flex items-center justify-between gap-2">
        <p className="pl-1 text-sm font-semibold text-lamp-ink">
          {disliked ? "What should have been different?" : "What should it remember?"}
        </p>
        <IconButton label="Close" onClick={answerActions.close} className="-my-1">
          <X />
        </IconButton>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <Segmented label="Kind" value={kind} choices={choices} onChange={setKind} />
        <input
          aria-label={kind === "note" ? "Note" : `What it should ${kind} do`}
          // biome-ignore lint/a11y/noAutofocus: the person asked to write here
          autoFocus
          value={text}
          maxLength={2000}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && answerActions.close()}
          placeholder={examples[kind]}
          className="h-9 min-w-52 flex-1 rounded-md border border-lamp-line bg-raised px-3 text-sm outline-none placeholder:text-faint focus:border-lamp"
        />
        <Button small look="lamp" type="submit" disabled={!text.trim()}>
          Keep
        </Button>
      </div>
      <button
        type="button"
        onClick={() => answerActions.open("correct", message.id)}
        className="mt-2.5 pl-1 text-sm text-lamp-ink underline-offset-4 hover:underline"
      >
        Or correct the answer itself
      </button>
    </form>
  )
}
