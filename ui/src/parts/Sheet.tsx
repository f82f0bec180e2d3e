import { X } from "lucide-react"
import { type ReactNode, useEffect, useId, useRef } from "react"
import { IconButton } from "./Button"

interface Props {
  title: string
  onClose: () => void
  children: ReactNode
  /** Stays at the foot while the rest scrolls. */
  footer?: ReactNode
}

/** A modal at the right edge, on the browser's own <dialog>: what one looked at stays in sight beside it. */
export function Sheet({ title, onClose, children, footer }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    dialog?.showModal()
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
      className="sheet m-0 ml-auto h-dvh max-h-dvh w-[min(31rem,100vw)] max-w-none border-l border-line bg-sheet p-0 shadow-2"
    >
      <div className="flex h-full flex-col">
        <header className="flex shrink-0 items-center justify-between gap-4 px-6 pt-5 pb-2">
          <h2 id={id} className="font-serif text-xl leading-snug font-[480] tracking-[-0.01em]">
            {title}
          </h2>
          <IconButton label="Close" onClick={onClose} className="-mr-2">
            <X />
          </IconButton>
        </header>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard */}
        <div tabIndex={0} className="min-h-0 flex-1 overflow-y-auto px-6 pb-8 -outline-offset-2">
          {children}
        </div>
        {footer && <footer className="shrink-0 border-t border-line px-6 py-3.5">{footer}</footer>}
      </div>
    </dialog>
  )
}
