import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { Plus } from "lucide-react"
import { type FormEvent, useState } from "react"
import { accounts } from "@/api/calls"
import { wordsOf } from "@/api/client"
import type { ApiKey, Scope } from "@/api/types"
import { Button } from "@/parts/Button"
import { Confirm, Dialog, DialogBody } from "@/parts/Dialog"
import { Field, Select } from "@/parts/Field"
import { Chip, CopyButton } from "@/parts/Small"
import { Bars, Empty, Failed } from "@/parts/States"
import { useConfirmed } from "@/parts/useConfirmed"
import { ago } from "@/parts/time"
import { useAccount } from "@/session"

const key = ["api-keys"] as const

const scopes = [
  ["chat", "Ask and be answered"],
  ["conversations:read", "Read conversations"],
  ["conversations:write", "Change conversations"],
  ["feedback", "Give feedback"],
  ["models", "List models"],
] as const satisfies [Scope, string][]
const adminScope = ["admin", "Operate the system"] as const satisfies [Scope, string]

export function ApiKeys() {
  const list = useQuery({ queryKey: key, queryFn: accounts.apiKeys })
  const [creating, setCreating] = useState(false)
  return (
    <>
      <div className="mb-4 flex items-center justify-between gap-4">
        <p className="text-sm text-faint">For programs that talk to liminal in your name.</p>
        <Button small look="primary" onClick={() => setCreating(true)}>
          <Plus className="size-4" /> New key
        </Button>
      </div>
      {list.isPending && <Bars rows={3} />}
      {list.isError && <Failed what="No list" error={list.error} onRetry={() => list.refetch()} />}
      {list.data?.items.length === 0 && <Empty title="No keys yet" />}
      <ul>
        {list.data?.items.map((each) => (
          <Row key={each.id} apiKey={each} />
        ))}
      </ul>
      {creating && <Create onClose={() => setCreating(false)} />}
    </>
  )
}

function Row({ apiKey }: { apiKey: ApiKey }) {
  const queries = useQueryClient()
  const [asked, setAsked] = useState(false)
  const account = useAccount()
  const { run, prompt } = useConfirmed(account.second_factor)
  const revoke = useMutation({
    mutationFn: () => run(() => accounts.revokeApiKey(apiKey.id)),
    onSuccess: () => {
      setAsked(false)
      return queries.invalidateQueries({ queryKey: key })
    },
  })
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-t border-line py-4">
      <div className="min-w-0 flex-1">
        <p className="truncate">
          {apiKey.name} <code className="ml-1 text-sm text-faint">{apiKey.hint}…</code>
        </p>
        <p className="text-sm text-faint">
          made {ago(apiKey.created_at)} ·{" "}
          {apiKey.last_used_at ? `last used ${ago(apiKey.last_used_at)}` : "never used"}
          {apiKey.expires_at && ` · ends ${new Date(apiKey.expires_at).toLocaleDateString()}`}
        </p>
      </div>
      <div className="flex flex-wrap gap-1">
        {apiKey.scopes.map((scope) => (
          <Chip key={scope}>{scope}</Chip>
        ))}
      </div>
      <Button small look="danger" onClick={() => setAsked(true)}>
        Revoke
      </Button>
      {asked && (
        <Confirm
          title={`Revoke “${apiKey.name}”?`}
          action="Revoke"
          busy={revoke.isPending}
          error={revoke.error && wordsOf(revoke.error)}
          onClose={() => setAsked(false)}
          onConfirm={() => revoke.mutate()}
        >
          Programs that use it are refused from now on.
        </Confirm>
      )}
      {prompt}
    </li>
  )
}

function Create({ onClose }: { onClose: () => void }) {
  const account = useAccount()
  const queries = useQueryClient()
  const { run, prompt } = useConfirmed(account.second_factor)
  const [name, setName] = useState("")
  const [days, setDays] = useState("90")
  const [chosen, setChosen] = useState<ReadonlySet<Scope>>(new Set(["chat", "models"]))
  const create = useMutation({
    mutationFn: () =>
      run(() =>
        accounts.createApiKey({
          name: name.trim(),
          scopes: [...chosen],
          expires_in_days: days ? Number(days) : null,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: key }),
  })
  const offered = account.role === "admin" ? [...scopes, adminScope] : scopes
  const toggle = (scope: Scope) => {
    const next = new Set(chosen)
    if (!next.delete(scope)) next.add(scope)
    setChosen(next)
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  if (create.data)
    return (
      <Dialog title="Your new key" onClose={onClose}>
        <DialogBody>
          <p className="text-soft">Copy it now: it is not shown again.</p>
          <div className="my-4 flex items-center gap-2 rounded-md bg-sunken p-3">
            <code className="min-w-0 flex-1 text-sm break-all">{create.data.key}</code>
            <CopyButton text={create.data.key} label="Copy the key" />
          </div>
          <div className="flex justify-end">
            <Button look="primary" onClick={onClose}>
              I have it
            </Button>
          </div>
        </DialogBody>
      </Dialog>
    )
  return (
    <Dialog title="A new key" onClose={onClose}>
      <DialogBody>
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field
            label="What is it for?"
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <fieldset>
            <legend className="mb-1.5 text-sm font-[550] text-soft">What may it do?</legend>
            {offered.map(([scope, words]) => (
              <label key={scope} className="flex items-center gap-2.5 py-1 text-base">
                <input
                  type="checkbox"
                  className="size-4"
                  checked={chosen.has(scope)}
                  onChange={() => toggle(scope)}
                />
                {words}
              </label>
            ))}
          </fieldset>
          <Select
            label="It ends after"
            value={days}
            onChange={(event) => setDays(event.target.value)}
          >
            <option value="7">7 days</option>
            <option value="30">30 days</option>
            <option value="90">90 days</option>
            <option value="365">a year</option>
            <option value="">never</option>
          </Select>
          {create.error && (
            <p role="alert" className="text-sm text-rose">
              {wordsOf(create.error)}
            </p>
          )}
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>Cancel</Button>
            <Button
              type="submit"
              look="primary"
              busy={create.isPending}
              disabled={!name.trim() || chosen.size === 0}
            >
              Make the key
            </Button>
          </div>
        </form>
        {prompt}
      </DialogBody>
    </Dialog>
  )
}
