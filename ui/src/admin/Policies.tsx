import { useQueries, useQuery } from "@tanstack/react-query"
import { artifacts } from "@/api/calls"
import type { Artifact } from "@/api/types"
import { capital, many } from "@/learning/words"
import { Page, Part } from "@/parts/Page"
import { Bars, Empty, Failed } from "@/parts/States"
import { ArtifactRow } from "./ArtifactRow"
import { PatchCard } from "./PatchCard"

export const artifactsKey = ["admin-artifacts"] as const
const EVERY = 5_000

/** What steers answers and learning: versions, and changes that wait for a decision. */
export default function Policies() {
  const list = useQuery({ queryKey: artifactsKey, queryFn: artifacts.list })
  const items = list.data?.items ?? []
  const patches = useQueries({
    queries: items.map(({ id }) => ({
      queryKey: [...artifactsKey, id, "patches"],
      queryFn: () => artifacts.patches(id),
      refetchInterval: EVERY,
    })),
  })
  const waiting = patches
    .flatMap(({ data }) => data?.items ?? [])
    .filter(({ state }) => state === "proposed")
  const byId = new Map<string, Artifact>(items.map((each) => [each.id, each]))
  return (
    <Page
      title="Policies"
      heading={
        waiting.length > 0
          ? `${capital(many(waiting.length, "change"))} ${waiting.length === 1 ? "waits" : "wait"} for you`
          : "Nothing waits for a decision"
      }
      about="Policies are data: each version stays, each change is tried on past turns before it counts, and each can be taken back."
    >
      {list.isPending && <Bars rows={6} />}
      {list.isError && (
        <Failed
          what="The policies can't be read"
          error={list.error}
          onRetry={() => list.refetch()}
        />
      )}
      {list.isSuccess && items.length === 0 && <Empty title="No policies" />}
      {waiting.length > 0 && (
        <Part title="Proposed">
          <ul className="flex flex-col gap-3">
            {waiting.map((patch) => (
              <PatchCard key={patch.id} patch={patch} artifact={byId.get(patch.artifact_id)} />
            ))}
          </ul>
        </Part>
      )}
      {items.length > 0 && (
        <Part title="In force">
          <ul>
            {items.map((artifact) => (
              <ArtifactRow key={artifact.id} artifact={artifact} />
            ))}
          </ul>
        </Part>
      )}
    </Page>
  )
}
