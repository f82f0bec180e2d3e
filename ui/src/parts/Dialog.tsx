import type { ReactNode } from "react"
import { Button } from "./Button"
import { Modal } from "./Modal"

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

/** A modal in the middle; a field in it has the focus first. */
export function Dialog({ title, hideTitle, width = "narrow", onClose, children, high }: Props) {
  const looks = {
    box: `max-h-[86dvh] max-w-[calc(100vw-2rem)] overflow-hidden rounded-lg border ${high ? "mt-[12vh]" : ""} ${widths[width]}`,
    stack: "max-h-[86dvh]",
    head: hideTitle ? "sr-only" : "flex items-start justify-between gap-4 px-6 pt-5 pb-1",
  }
  return (
    <Modal title={title} onClose={onClose} looks={looks} first="input, textarea">
      {children}
    </Modal>
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
