import { useQuery } from "@tanstack/react-query"
import { Check, X } from "lucide-react"
import { useState } from "react"
import { artifacts } from "@/api/calls"
import type { Artifact, Patch, WhatIf } from "@/api/types"
import { useChange } from "@/learning/queries"
import { many } from "@/learning/words"
import { Button } from "@/parts/Button"
import { Chip } from "@/parts/Small"
import { Bars, Failed } from "@/parts/States"
import { ago, count } from "@/parts/time"
import { OperationList } from "./OperationList"
import type { Operation } from "./patch"
import { artifactsKey } from "./Policies"

/** A change that was proposed: what it does, what it would have done, and the decision. */
export function PatchCard({ patch, artifact }: { patch: Patch; artifact: Artifact | undefined }) {
  const [shown, setShown] = useState(false)
  const approve = useChange(() => artifacts.approve(patch.id), artifactsKey)
  const reject = useChange(() => artifacts.reject(patch.id), artifactsKey)
  const busy = approve.isPending || reject.isPending
  return (
    <li className="rounded-lg border border-line bg-raised px-5 py-4">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <span className="font-mono text-sm font-medium">{patch.artifact_id}</span>
            <Chip look="tide">to version {patch.base_version}</Chip>
          </p>
          <p className="mt-0.5 text-sm text-faint">
            {patch.source === "human" || patch.source === "admin"
              ? "by an admin"
              : `by ${patch.source}`}
            , {ago(patch.proposed_at)}
          </p>
        </div>
        <div className="flex gap-2">
          <Button small look="primary" busy={busy} onClick={() => approve.mutate(undefined)}>
            <Check className="size-3.5" /> Approve
          </Button>
          <Button small look="plain" disabled={busy} onClick={() => reject.mutate(undefined)}>
            <X className="size-3.5" /> Reject
          </Button>
        </div>
      </div>
      {patch.rationale && (
        <p className="mt-2 font-serif text-base leading-snug">{patch.rationale}</p>
      )}
      <div className="mt-3">
        <OperationList
          operations={patch.operations as unknown as Operation[]}
          before={artifact?.version === patch.base_version ? artifact.body : undefined}
        />
      </div>
      <p className="mt-3 text-sm text-soft">
        {tried(patch)}
        {patch.backtest !== null && patch.backtest.changed > 0 && (
          <Button small look="plain" className="ml-1" onClick={() => setShown(!shown)}>
            {shown ? "Hide them" : "Show them"}
          </Button>
        )}
      </p>
      {shown && <Backtest patchId={patch.id} />}
    </li>
  )
}

function tried({ backtest }: Patch): string {
  if (backtest === null) return "Being tried on past turns."
  const { turns, changed } = backtest
  if (turns === 0) return "There are no past turns yet to try it on."
  if (changed === 0) return `Tried on ${many(turns, "past turn")}: it would have changed nothing.`
  return `Tried on ${many(turns, "past turn")}: ${many(changed, "turn")} would have gone otherwise.`
}

function Backtest({ patchId }: { patchId: string }) {
  const report = useQuery({
    queryKey: ["backtest", patchId],
    queryFn: () => artifacts.backtest(patchId),
  })
  if (report.isPending) return <Bars rows={4} className="mt-3" />
  if (report.isError)
    return (
      <Failed
        what="The trial can't be read"
        error={report.error}
        onRetry={() => report.refetch()}
      />
    )
  return <Differences found={report.data} />
}

type Decision = WhatIf["shown"][number]["before"]

const mixture = ({ adapters }: Decision) => {
  const gates = Object.entries(adapters).map(([name, gate]) => `${name} ${gate.toFixed(2)}`)
  return gates.length > 0 ? gates.join(", ") : "the base alone"
}

const shape = (decision: Decision) => {
  const { instructions, contexts, backend } = decision
  const parts = [
    mixture(decision),
    instructions.length > 0 && many(instructions.length, "instruction"),
    contexts.length > 0 && many(contexts.length, "context"),
    backend,
  ]
  return parts.filter(Boolean).join("; ")
}

function Differences({ found }: { found: WhatIf }) {
  return (
    <div className="settle mt-3">
      <p className="mb-2 flex flex-wrap gap-2 text-sm">
        {Object.entries(found.by_rule).map(([rule, turns]) => (
          <Chip key={rule}>
            <span className="font-mono">{rule}</span> {count(turns)}
          </Chip>
        ))}
        {found.skipped > 0 && (
          <span className="text-faint">{count(found.skipped)} could not be tried again</span>
        )}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard */}
      <div tabIndex={0} className="overflow-x-auto">
        <table className="w-full min-w-[34rem] text-sm">
          <caption className="sr-only">Past turns that would have gone otherwise</caption>
          <thead>
            <tr className="text-left text-xs text-faint [&>th]:pb-1.5 [&>th]:font-[550]">
              <th scope="col">Turn</th>
              <th scope="col">As it was</th>
              <th scope="col">With the change</th>
            </tr>
          </thead>
          <tbody>
            {found.shown.map((turn) => (
              <tr key={turn.turn_id} className="border-t border-line align-top [&>td]:py-2">
                <td className="w-32 pr-3 text-faint">{ago(turn.routed_at)}</td>
                <td className="pr-4 break-words">{shape(turn.before)}</td>
                <td className="break-words">{shape(turn.after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}
