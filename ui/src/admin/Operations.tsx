import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { Check, Fingerprint, Hammer, Undo2, X } from "lucide-react"
import { type ReactNode, useState } from "react"
import { projections } from "@/api/calls"
import { wordsOf } from "@/api/client"
import type { Projection, RebuildProgress } from "@/api/types"
import { Button } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { CopyButton } from "@/parts/Small"
import { toast } from "@/parts/Toasts"
import { count } from "@/parts/time"

const PROGRESS_EVERY = 500
const HASH_SHOWN = 16

const refused = (error: unknown) => toast(wordsOf(error), { look: "error" })

/** Rebuild, verify, switch and roll back one projection. */
export function Operations({ projection }: { projection: Projection }) {
  const { name, versions } = projection
  const queries = useQueryClient()
  const refresh = () => queries.invalidateQueries({ queryKey: ["projections"] })
  const building = versions.some(({ state }) => state === "building")
  const ready = versions.findLast(({ state }) => state === "ready")
  const earlier = versions.findLast(({ state }) => state === "retired")
  const [asked, setAsked] = useState<"switch" | "rollback" | null>(null)
  const close = () => setAsked(null)

  const rebuild = useMutation({
    mutationFn: () => projections.rebuild(name),
    onSuccess: refresh,
    onError: refused,
  })
  const verify = useMutation({ mutationFn: () => projections.verify(name), onError: refused })
  const move = useMutation({
    mutationFn: () =>
      asked === "switch" && ready
        ? projections.switchTo(name, ready.version)
        : projections.rollback(name),
    onSuccess: refresh,
    onError: refused,
    onSettled: close,
  })

  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap gap-2">
        <Button small busy={rebuild.isPending} disabled={building} onClick={() => rebuild.mutate()}>
          <Hammer className="size-3.5" /> Rebuild
        </Button>
        <Button small busy={verify.isPending} onClick={() => verify.mutate()}>
          <Fingerprint className="size-3.5" /> Verify
        </Button>
        {ready && (
          <Button small look="primary" onClick={() => setAsked("switch")}>
            Switch to the new rows
          </Button>
        )}
        {earlier && (
          <Button small onClick={() => setAsked("rollback")}>
            <Undo2 className="size-3.5" /> Back to the rows before
          </Button>
        )}
      </div>
      {building && <Progress name={name} />}
      {verify.data && <Verdict {...verify.data} />}
      {asked && (
        <Confirm
          title={asked === "switch" ? "Switch to the new rows?" : "Go back to the rows before?"}
          action={asked === "switch" ? "Switch" : "Roll back"}
          look="primary"
          busy={move.isPending}
          onConfirm={() => move.mutate()}
          onClose={close}
        >
          {asked === "switch"
            ? `Readers of “${name}” see ${ready?.schema} from then on, all at once. What they see now stays, for the way back.`
            : `Readers of “${name}” see ${earlier?.schema} again, all at once.`}
        </Confirm>
      )}
    </div>
  )
}

function Progress({ name }: { name: string }) {
  const progress = useQuery({
    queryKey: ["projections", name, "rebuild"],
    queryFn: () => projections.progress(name),
    refetchInterval: PROGRESS_EVERY,
    staleTime: 0,
  })
  if (!progress.data) return null
  const { state, done, total, error } = progress.data
  if (state === "failed")
    return (
      <p role="alert" className="rounded-md bg-rose-wash px-4 py-3 text-sm text-rose">
        The rebuild stopped. {error}
      </p>
    )
  const part = total > 0 ? done / total : 0
  return (
    <div>
      <div
        role="progressbar"
        aria-label={`Rebuild of ${name}`}
        aria-valuenow={Math.round(part * 100)}
        className="h-1.5 overflow-hidden rounded-full bg-sunken"
      >
        <div
          className="h-full rounded-full bg-tide transition-[width] duration-500 ease-linear"
          style={{ width: `${part * 100}%` }}
        />
      </div>
      <p className="mt-1.5 flex justify-between text-sm text-faint tabular-nums">
        <span>
          {count(done)} of {count(total)} events
        </span>
        <span>{remaining(progress.data)}</span>
      </p>
    </div>
  )
}

function remaining({ done, total, rate }: RebuildProgress): string {
  if (rate <= 0) return ""
  const seconds = Math.ceil((total - done) / rate)
  const left = seconds > 90 ? `${Math.round(seconds / 60)} min` : `${seconds} s`
  return `${count(Math.round(rate))} a second, ${left} left`
}

function Verdict({ equal, hash, rows }: { equal: boolean; hash: string; rows: number }): ReactNode {
  return (
    <div
      role="status"
      className={`flex flex-wrap items-center gap-x-3 gap-y-1 rounded-md px-4 py-2.5 text-sm ${equal ? "bg-moss-wash" : "bg-rose-wash"}`}
    >
      <span
        className={`flex items-center gap-1.5 font-semibold [&_svg]:size-4 ${equal ? "text-moss" : "text-rose"}`}
      >
        {equal ? <Check /> : <X />}
        {equal ? "Folded again, and equal" : "Folded again, and different"}
      </span>
      <span className="text-soft">{count(rows)} rows</span>
      <span className="ml-auto flex items-center gap-1">
        <code className="text-xs text-soft" title={hash}>
          {hash.slice(0, HASH_SHOWN)}…
        </code>
        <CopyButton text={hash} label="Copy the hash" />
      </span>
    </div>
  )
}
