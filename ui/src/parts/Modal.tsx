import { X } from "lucide-react"
import { type ReactNode, useEffect, useId, useRef } from "react"
import { IconButton } from "./Button"

interface Props {
  title: string
  onClose: () => void
  /** Of the box, of what is stacked in it, and of the line with the title. */
  looks: { box: string; stack: string; head: string }
  /** Where the focus goes first, as a selector; by itself it is the first button. */
  first?: string
  children: ReactNode
}

/** On the browser's own <dialog>: focus stays in it, Escape and the backdrop close it, focus returns after. */
export function Modal({ title, onClose, looks, first, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  // biome-ignore lint/correctness/useExhaustiveDependencies: it opens once
  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    dialog?.showModal()
    if (first) dialog?.querySelector<HTMLElement>(first)?.focus()
    return () => {
      dialog?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog; the click is on the backdrop
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose()
      }}
      className={`border-line bg-sheet p-0 shadow-2 ${looks.box}`}
    >
      <div className={`flex flex-col ${looks.stack}`}>
        <header className={looks.head}>
          <h2 id={id} className="font-serif text-xl leading-snug font-[480] tracking-[-0.01em]">
            {title}
          </h2>
          <IconButton label="Close" onClick={onClose} className="-mr-2">
            <X />
          </IconButton>
        </header>
        {children}
      </div>
    </dialog>
  )
}
