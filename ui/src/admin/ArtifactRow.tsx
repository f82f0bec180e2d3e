import { useQuery } from "@tanstack/react-query"
import { ChevronDown, Pencil } from "lucide-react"
import { lazy, Suspense, useId, useState } from "react"
import { artifacts } from "@/api/calls"
import type { Artifact, ArtifactVersion, Patch } from "@/api/types"
import { useChange } from "@/learning/queries"
import { Button } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Chip, type ChipLook } from "@/parts/Small"
import { Bars, Failed } from "@/parts/States"
import { ago } from "@/parts/time"
import { Json } from "./Json"
import { OperationList } from "./OperationList"
import type { Operation } from "./patch"
import { artifactsKey } from "./Policies"

const PolicyEditor = lazy(() => import("./PolicyEditor"))

/** An artifact in force; behind a click its body, its versions and what was proposed to it. */
export function ArtifactRow({ artifact }: { artifact: Artifact }) {
  const [open, setOpen] = useState(false)
  const [editing, setEditing] = useState(false)
  const id = useId()
  return (
    <li className="border-t border-line">
      <button
        type="button"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
        className="flex w-full flex-wrap items-center gap-x-5 gap-y-1 py-3.5 text-left"
      >
        <span className="min-w-44 flex-1">
          <span className="flex flex-wrap items-center gap-2">
            <span className="font-mono text-sm font-medium">{artifact.id}</span>
            <Chip>version {artifact.version}</Chip>
            {artifact.inherited && <Chip>the installation's</Chip>}
            {artifact.archived && <Chip>put away</Chip>}
          </span>
          <span className="mt-0.5 block text-sm text-faint">{artifact.description}</span>
        </span>
        <span className="text-sm text-faint">{ago(artifact.updated_at)}</span>
        <ChevronDown
          className={`size-4 text-faint transition-transform ${open ? "rotate-180" : ""}`}
        />
      </button>
      {open && (
        <div id={id} className="settle grid gap-x-10 gap-y-7 pt-1 pb-8 lg:grid-cols-2">
          <section className="min-w-0">
            <div className="mb-1.5 flex min-h-8 items-center justify-between gap-4">
              <h3 className="text-sm font-semibold text-faint">As it stands</h3>
              {artifact.inherited ? (
                <MakeOwn id={artifact.id} />
              ) : (
                <Button small look="plain" onClick={() => setEditing(true)}>
                  <Pencil className="size-3.5" /> Propose a change
                </Button>
              )}
            </div>
            <div className="max-h-96 overflow-y-auto rounded-md border border-line bg-raised px-4 py-3">
              <Json value={artifact.body} />
            </div>
          </section>
          <section className="min-w-0">
            <h3 className="mb-1.5 flex min-h-8 items-center text-sm font-semibold text-faint">
              Versions and changes
            </h3>
            <History artifact={artifact} />
          </section>
        </div>
      )}
      {editing && (
        <Suspense>
          <PolicyEditor artifact={artifact} onClose={() => setEditing(false)} />
        </Suspense>
      )}
    </li>
  )
}

function MakeOwn({ id }: { id: string }) {
  const make = useChange(() => artifacts.create(id), artifactsKey)
  return (
    <Button small look="plain" busy={make.isPending} onClick={() => make.mutate(undefined)}>
      Make it this tenant's own
    </Button>
  )
}

function History({ artifact }: { artifact: Artifact }) {
  const versions = useQuery({
    queryKey: [...artifactsKey, artifact.id, "versions", artifact.version],
    queryFn: () => artifacts.versions(artifact.id),
  })
  const patches = useQuery({
    queryKey: [...artifactsKey, artifact.id, "patches"],
    queryFn: () => artifacts.patches(artifact.id),
  })
  if (versions.isPending) return <Bars rows={3} />
  if (versions.isError)
    return (
      <Failed
        what="The versions can't be read"
        error={versions.error}
        onRetry={() => versions.refetch()}
      />
    )
  const refused = patches.data?.items.filter(({ state }) => state === "rejected") ?? []
  const bodies = new Map(versions.data.items.map(({ version, body }) => [version, body]))
  return (
    <ol className="flex flex-col">
      {versions.data.items.map((version) => (
        <Version
          key={version.version}
          artifact={artifact}
          version={version}
          before={bodies.get(version.version - 1)}
        />
      ))}
      {refused.map((patch) => (
        <Refused key={patch.id} patch={patch} />
      ))}
    </ol>
  )
}

const origins: Record<ArtifactVersion["origin"], { words: string; look: ChipLook }> = {
  created: { words: "the beginning", look: "plain" },
  patched: { words: "changed", look: "tide" },
  rolled_back: { words: "taken back", look: "plain" },
}

interface VersionProps {
  artifact: Artifact
  version: ArtifactVersion
  before: unknown
}

function Version({ artifact, version, before }: VersionProps) {
  const [asked, setAsked] = useState(false)
  const back = useChange(() => artifacts.rollBack(artifact.id, version.version), artifactsKey)
  const current = version.version === artifact.version
  const { words, look } = origins[version.origin]
  return (
    <li className="border-t border-line py-2.5 text-sm first:border-0 first:pt-0">
      <div className="flex min-h-8 flex-wrap items-center gap-x-3 gap-y-1">
        <span className="tabular-nums">version {version.version}</span>
        <Chip look={current ? "moss" : look}>{current ? "in force" : words}</Chip>
        <span className="flex-1 text-faint">
          {version.to_version !== null && `as version ${version.to_version}, `}
          {ago(version.created_at)}
        </span>
        {!current && !artifact.inherited && (
          <Button small look="plain" onClick={() => setAsked(true)}>
            Back to it
          </Button>
        )}
      </div>
      {version.reason && <p className="mb-1.5 text-soft">{version.reason}</p>}
      {version.operations.length > 0 && (
        <details>
          <summary className="text-soft hover:text-ink">What changed</summary>
          <div className="mt-1.5">
            <OperationList
              operations={version.operations as unknown as Operation[]}
              before={before}
            />
          </div>
        </details>
      )}
      {asked && (
        <Confirm
          title={`Back to version ${version.version}?`}
          action="Roll back"
          look="primary"
          busy={back.isPending}
          onClose={() => setAsked(false)}
          onConfirm={() => back.mutate(undefined, { onSettled: () => setAsked(false) })}
        >
          A new version of “{artifact.id}” is made with the body of version {version.version}, and
          counts from the next answer on.
        </Confirm>
      )}
    </li>
  )
}

function Refused({ patch }: { patch: Patch }) {
  return (
    <li className="border-t border-line py-2.5 text-sm">
      <p className="flex flex-wrap items-center gap-x-3">
        <Chip look="rose">turned down</Chip>
        <span className="flex-1 text-faint">{ago(patch.decided_at ?? patch.proposed_at)}</span>
      </p>
      {(patch.reason ?? patch.rationale) && (
        <p className="mt-1 text-soft">{patch.reason ?? patch.rationale}</p>
      )}
    </li>
  )
}
