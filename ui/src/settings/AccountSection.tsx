import { useMutation, useQueryClient } from "@tanstack/react-query"
import { type FormEvent, useState } from "react"
import { accounts } from "@/api/calls"
import { hasCode, wordsOf } from "@/api/client"
import { Button } from "@/parts/Button"
import { Dialog, DialogBody } from "@/parts/Dialog"
import { Field } from "@/parts/Field"
import { Chip, Initials } from "@/parts/Small"
import { toast } from "@/parts/Toasts"
import { fullTime } from "@/parts/time"
import { nameOf, useAccount } from "@/session"
import { useSignOut } from "@/shell/signOut"
import { Setting } from "./Group"
import { SecondFactor } from "./SecondFactor"

export function AccountSection() {
  const account = useAccount()
  const [changing, setChanging] = useState(false)
  const signOut = useSignOut()
  const signOutEverywhere = useSignOut(accounts.signOutEverywhere)
  return (
    <>
      <div className="mb-6 flex items-center gap-4">
        <Initials name={nameOf(account)} className="size-13 text-lg" />
        <div className="min-w-0">
          <p className="flex items-center gap-2 text-lg font-[550]">
            <span className="truncate">{nameOf(account)}</span>
            {account.role === "admin" && <Chip>Admin</Chip>}
          </p>
          <p className="truncate text-sm text-faint">
            {account.email} · here since {fullTime(account.created_at)}
          </p>
        </div>
      </div>
      <Setting name="Password" about="Changing it signs every other session out.">
        <Button small onClick={() => setChanging(true)}>
          Change
        </Button>
      </Setting>
      <SecondFactor />
      <Setting name="Sign out" about="Drafts that are kept in this browser are removed, too.">
        <div className="flex gap-2">
          <Button small onClick={signOut}>
            Here
          </Button>
          <Button small look="danger" onClick={signOutEverywhere}>
            Everywhere
          </Button>
        </div>
      </Setting>
      {changing && <ChangePassword onClose={() => setChanging(false)} />}
    </>
  )
}

function ChangePassword({ onClose }: { onClose: () => void }) {
  const [current, setCurrent] = useState("")
  const [next, setNext] = useState("")
  const queries = useQueryClient()
  const [code, setCode] = useState("")
  const { second_factor } = useAccount()
  const change = useMutation({
    mutationFn: () => accounts.changePassword({ current, new: next, otp: code || undefined }),
    onSuccess: () => {
      toast("The password is changed.")
      void queries.invalidateQueries({ queryKey: ["sessions"] })
      onClose()
    },
  })
  const { error } = change
  const weak = hasCode(error, "weak_password")
  const words = error && wordsOf(error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  return (
    <Dialog title="A new password" onClose={onClose}>
      <DialogBody>
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field
            label="Present password"
            type="password"
            autoComplete="current-password"
            value={current}
            onChange={(event) => setCurrent(event.target.value)}
            error={weak ? null : words}
          />
          <Field
            label="New password"
            type="password"
            autoComplete="new-password"
            value={next}
            onChange={(event) => setNext(event.target.value)}
            hint="At least ten characters. A few words in a row are good."
            error={weak ? words : null}
          />
          {second_factor && (
            <Field
              label="One-time code"
              autoComplete="one-time-code"
              value={code}
              onChange={(event) => setCode(event.target.value.trim())}
            />
          )}
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>Cancel</Button>
            <Button
              type="submit"
              look="primary"
              busy={change.isPending}
              disabled={!current || !next}
            >
              Change
            </Button>
          </div>
        </form>
      </DialogBody>
    </Dialog>
  )
}
