import { X } from "lucide-react"
import { type ReactNode, useEffect, useId, useRef } from "react"
import { Button, IconButton } from "./Button"

const widths = { narrow: "w-[26rem]", medium: "w-[36rem]", wide: "w-[52rem]" } as const

interface Props {
  title: string
  hideTitle?: boolean
  width?: keyof typeof widths
  onClose: () => void
  children: ReactNode
  /** Stands near the top, as a palette does. */
  high?: boolean
}

/** A modal on the browser's own <dialog>: focus stays in it, Escape closes it, focus returns after. */
export function Dialog({ title, hideTitle, width = "narrow", onClose, children, high }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    dialog?.showModal()
    dialog?.querySelector<HTMLElement>("input, textarea")?.focus()
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
      className={`max-h-[86dvh] max-w-[calc(100vw-2rem)] overflow-hidden rounded-lg border border-line bg-sheet p-0 shadow-2 ${high ? "mt-[12vh]" : ""} ${widths[width]}`}
    >
      <div className="flex max-h-[86dvh] flex-col">
        <header
          className={
            hideTitle ? "sr-only" : "flex items-start justify-between gap-4 px-6 pt-5 pb-1"
          }
        >
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

interface BodyProps {
  children: ReactNode
  /** Something to read that may be longer than the screen: it is scrolled by keyboard too. */
  reading?: boolean
}

export function DialogBody({ children, reading }: BodyProps) {
  return (
    <div tabIndex={reading ? 0 : undefined} className="overflow-y-auto px-6 pt-2 pb-6">
      {children}
    </div>
  )
}

interface ConfirmProps {
  title: string
  children: ReactNode
  action: string
  look?: "primary" | "danger"
  busy?: boolean
  error?: string | null
  onConfirm: () => void
  onClose: () => void
}

export function Confirm(props: ConfirmProps) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <DialogBody>
        <div className="text-soft">{props.children}</div>
        {props.error && (
          <p role="alert" className="mt-3 text-sm text-rose">
            {props.error}
          </p>
        )}
        <div className="mt-6 flex justify-end gap-2">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button look={props.look ?? "danger"} busy={props.busy} onClick={props.onConfirm}>
            {props.action}
          </Button>
        </div>
      </DialogBody>
    </Dialog>
  )
}
