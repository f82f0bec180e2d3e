import { useQuery } from "@tanstack/react-query"
import { useDeferredValue, useMemo, useState } from "react"
import { artifacts, policies } from "@/api/calls"
import { wordsOf } from "@/api/client"
import type { Artifact } from "@/api/types"
import { useChange } from "@/learning/queries"
import { Button } from "@/parts/Button"
import { Dialog, DialogBody } from "@/parts/Dialog"
import { Area } from "@/parts/Field"
import { OperationList } from "./OperationList"
import { difference } from "./patch"
import { artifactsKey } from "./Policies"

const ROUTING = "policy.routing"

function parsed(text: string): { value: unknown } | { error: string } {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch (error) {
    return { error: error instanceof Error ? error.message : "This is no JSON." }
  }
}

/** A change to a policy: written over its body, proposed as the operations that make it. */
export default function PolicyEditor({
  artifact,
  onClose,
}: {
  artifact: Artifact
  onClose: () => void
}) {
  const [text, setText] = useState(() => JSON.stringify(artifact.body, null, 2))
  const [rationale, setRationale] = useState("")
  const read = useMemo(() => parsed(text), [text])
  const value = "value" in read ? read.value : undefined
  const operations = useMemo(
    () => (value === undefined ? [] : difference(artifact.body, value)),
    [artifact.body, value],
  )
  const checked = useDeferredValue(value)
  const check = useQuery({
    queryKey: ["policy-check", checked],
    queryFn: () => policies.check(checked),
    enabled: artifact.id === ROUTING && checked !== undefined && operations.length > 0,
    placeholderData: (before) => before,
  })
  const problems = operations.length > 0 ? (check.data?.problems ?? []) : []
  const propose = useChange(
    () => artifacts.propose(artifact.id, operations, rationale.trim() || null),
    artifactsKey,
  )
  return (
    <Dialog title={`A change to ${artifact.id}`} width="wide" onClose={onClose}>
      <DialogBody>
        <div className="flex flex-col gap-4">
          <Area
            label="The policy"
            value={text}
            spellCheck={false}
            onChange={(event) => setText(event.target.value)}
            className="max-h-[34vh] font-mono text-xs leading-[1.7]"
            error={"error" in read ? read.error : null}
          />
          {problems.map(({ path, message, line, column }) => (
            <p
              key={`${path} ${message}`}
              role="alert"
              className="rounded-md bg-rose-wash px-4 py-2 text-sm text-rose"
            >
              <span className="font-mono text-xs">{path || "/"}</span> {message}
              {line !== null && ` (line ${line}, column ${column})`}
            </p>
          ))}
          {operations.length > 0 && (
            <section>
              <h3 className="mb-1.5 text-sm font-semibold text-faint">What changes</h3>
              <OperationList operations={operations} before={artifact.body} />
            </section>
          )}
          <Area
            label="Why"
            hint="Stands on the log beside the change."
            maxLength={2_000}
            value={rationale}
            onChange={(event) => setRationale(event.target.value)}
          />
          {propose.error && (
            <p role="alert" className="text-sm text-rose">
              {wordsOf(propose.error)}
            </p>
          )}
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>Cancel</Button>
            <Button
              look="primary"
              busy={propose.isPending}
              disabled={operations.length === 0 || problems.length > 0}
              onClick={() => propose.mutate(undefined, { onSuccess: onClose })}
            >
              Propose it
            </Button>
          </div>
        </div>
      </DialogBody>
    </Dialog>
  )
}
