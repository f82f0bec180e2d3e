import { Dialog, DialogBody } from "@/parts/Dialog"
import { Diff } from "./Diff"

export default function Changes(props: { before: string; after: string; onClose: () => void }) {
  return (
    <Dialog title="What you changed" width="medium" onClose={props.onClose}>
      <DialogBody>
        <Diff before={props.before} after={props.after} />
      </DialogBody>
    </Dialog>
  )
}
