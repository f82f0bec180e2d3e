import { type FormEvent, useState } from "react"
import { Button } from "@/parts/Button"

interface Props {
  label: string
  text: string
  /** The new words, or the old ones where nothing is to change. */
  onDone: (text: string) => void
}

/** Words that are changed where they stand. */
export function InlineEdit({ label, text, onDone }: Props) {
  const [value, setValue] = useState(text)
  const save = (event: FormEvent) => {
    event.preventDefault()
    onDone(value.trim())
  }
  return (
    <form onSubmit={save} className="mt-1">
      <textarea
        aria-label={label}
        // biome-ignore lint/a11y/noAutofocus: the person asked to write here
        autoFocus
        value={value}
        onChange={(event) => setValue(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && onDone(text)}
        className="field-sizing-content max-h-[50vh] w-full resize-none rounded-md border border-lamp-line bg-raised p-2 font-serif text-lg leading-snug text-ink outline-none focus:border-lamp"
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
