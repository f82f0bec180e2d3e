import { useMutation, useQueryClient } from "@tanstack/react-query"
import { type FormEvent, useMemo, useState } from "react"
import { encode } from "uqr"
import { accounts } from "@/api/calls"
import { hasCode, wordsOf } from "@/api/client"
import { Button } from "@/parts/Button"
import { Dialog, DialogBody } from "@/parts/Dialog"
import { Field } from "@/parts/Field"
import { Chip, CopyButton } from "@/parts/Small"
import { toast } from "@/parts/Toasts"
import { useConfirmed } from "@/parts/useConfirmed"
import { meKey, useAccount } from "@/session"
import { Setting } from "./Group"

export function SecondFactor() {
  const account = useAccount()
  const queries = useQueryClient()
  const { run, prompt } = useConfirmed(account.second_factor)
  const [setup, setSetup] = useState<{ uri: string; secret: string } | null>(null)
  const lookAgain = () => queries.invalidateQueries({ queryKey: meKey })

  const fail = (error: unknown) => {
    if (hasCode(error, "reauthentication_required")) return
    toast(wordsOf(error), { look: "error" })
  }
  const begin = useMutation({
    mutationFn: () => run(accounts.beginSecondFactor),
    onSuccess: setSetup,
    onError: fail,
  })
  const remove = useMutation({
    mutationFn: () => run(accounts.removeSecondFactor),
    onSuccess: () => {
      void lookAgain()
      toast("The second factor is off.")
    },
    onError: fail,
  })
  return (
    <Setting
      name="Second factor"
      about="A code from an authenticator app is asked for after the password."
    >
      {account.second_factor ? (
        <div className="flex items-center gap-3">
          <Chip look="moss">On</Chip>
          <Button small look="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
            Switch off
          </Button>
        </div>
      ) : (
        <Button small busy={begin.isPending} onClick={() => begin.mutate()}>
          Set up
        </Button>
      )}
      {prompt}
      {setup && <Setup {...setup} onDone={lookAgain} onClose={() => setSetup(null)} />}
    </Setting>
  )
}

interface SetupProps {
  uri: string
  secret: string
  onDone: () => void
  onClose: () => void
}

function Setup({ uri, secret, onDone, onClose }: SetupProps) {
  const [code, setCode] = useState("")
  const confirm = useMutation({ mutationFn: () => accounts.confirmSecondFactor(code) })
  const codes = confirm.data?.recovery_codes
  const finish = () => {
    if (codes) onDone()
    onClose()
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    confirm.mutate()
  }
  if (codes)
    return (
      <Dialog title="Keep these codes" onClose={finish}>
        <DialogBody>
          <p className="text-soft">
            Each replaces the authenticator once, should you lose it. They are not shown again.
          </p>
          <ul className="my-4 grid grid-cols-2 gap-x-6 gap-y-1.5 rounded-md bg-sunken p-4 font-mono text-sm">
            {codes.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
          <div className="flex items-center justify-between">
            <CopyButton text={codes.join("\n")} label="Copy the codes" />
            <Button look="primary" onClick={finish}>
              I have them
            </Button>
          </div>
        </DialogBody>
      </Dialog>
    )
  return (
    <Dialog title="Set up the second factor" onClose={onClose}>
      <DialogBody>
        <form onSubmit={submit} className="flex flex-col gap-5">
          <p className="text-soft">
            Scan this with an authenticator app, then enter the code it shows.
          </p>
          <QrCode text={uri} />
          <p className="flex items-center justify-center gap-1 text-sm text-faint">
            <span className="sr-only">Secret</span>
            <code className="break-all">{secret}</code>
            <CopyButton text={secret} label="Copy the secret" />
          </p>
          <Field
            label="Code"
            inputMode="numeric"
            autoComplete="one-time-code"
            maxLength={6}
            value={code}
            onChange={(event) => setCode(event.target.value.replace(/\D/g, ""))}
            className="font-mono text-lg tracking-[0.3em]"
            error={confirm.error && wordsOf(confirm.error)}
          />
          <Button
            type="submit"
            look="primary"
            busy={confirm.isPending}
            disabled={code.length !== 6}
          >
            Switch on
          </Button>
        </form>
      </DialogBody>
    </Dialog>
  )
}

/** Dark on light in both themes: many cameras read nothing else. */
function QrCode({ text }: { text: string }) {
  const { data, size } = useMemo(() => encode(text, { border: 2 }), [text])
  const path = data.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x} ${y}h1v1h-1z`] : [])))
  return (
    <svg
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label="QR code"
      className="mx-auto size-44 rounded-md"
      shapeRendering="crispEdges"
    >
      <rect width={size} height={size} fill="white" />
      <path d={path.join("")} fill="#0f2733" />
    </svg>
  )
}
