/** Runs a change of credentials; where the server wants the password again, asks for it and goes on. */
import { type FormEvent, useState } from "react"
import { accounts } from "@/api/calls"
import { hasCode, wordsOf } from "@/api/client"
import { Button } from "./Button"
import { Dialog, DialogBody } from "./Dialog"
import { Field } from "./Field"

interface Held {
  go: () => void
  giveUp: () => void
}

export function useConfirmed(secondFactor: boolean) {
  const [held, setHeld] = useState<Held | null>(null)

  const run = async <T,>(task: () => Promise<T>): Promise<T> => {
    try {
      return await task()
    } catch (error) {
      if (!hasCode(error, "reauthentication_required")) throw error
      await new Promise<void>((resolve, reject) =>
        setHeld({ go: resolve, giveUp: () => reject(error) }),
      )
      return task()
    }
  }

  const end = (how: keyof Held) => () => {
    setHeld(null)
    held?.[how]()
  }
  const prompt = held && (
    <Confirmation secondFactor={secondFactor} onDone={end("go")} onClose={end("giveUp")} />
  )
  return { run, prompt }
}

interface Props {
  secondFactor: boolean
  onDone: () => void
  onClose: () => void
}

function Confirmation({ secondFactor, onDone, onClose }: Props) {
  const [password, setPassword] = useState("")
  const [code, setCode] = useState("")
  const [error, setError] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    try {
      await accounts.reauthenticate({ password, otp: code || undefined })
      onDone()
    } catch (refusal) {
      setError(wordsOf(refusal))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog title="Your password, please" onClose={onClose}>
      <DialogBody>
        <form onSubmit={submit} className="flex flex-col gap-4">
          <p className="text-soft">What follows changes how one gets in, so it asks once more.</p>
          <Field
            label="Password"
            type="password"
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
            error={error}
          />
          {secondFactor && (
            <Field
              label="One-time code"
              autoComplete="one-time-code"
              value={code}
              onChange={(event) => setCode(event.target.value.trim())}
            />
          )}
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>Cancel</Button>
            <Button type="submit" look="primary" busy={busy} disabled={!password}>
              Continue
            </Button>
          </div>
        </form>
      </DialogBody>
    </Dialog>
  )
}
