import { useQuery } from "@tanstack/react-query"
import { RefreshCw } from "lucide-react"
import { useMemo, useState } from "react"
import { skills as calls } from "@/api/calls"
import type { ClusteringRun, Skill, SkillMap } from "@/api/types"
import { PointMap, Swatch } from "@/learning/PointMap"
import { coloursOf } from "@/learning/layout"
import { useChange } from "@/learning/queries"
import { capital, many } from "@/learning/words"
import { Button } from "@/parts/Button"
import { Link } from "@/parts/Link"
import { Page, Part } from "@/parts/Page"
import { Bars, Empty, Failed } from "@/parts/States"
import { toast } from "@/parts/Toasts"
import { ago, count } from "@/parts/time"
import { SkillRow } from "./SkillRow"

export const skillsKey = ["admin-skills"] as const
const EVERY = 5_000

/** What a tenant's feedback gathers into, and which of it becomes a skill. */
export default function Skills() {
  const list = useQuery({ queryKey: skillsKey, queryFn: calls.list, refetchInterval: EVERY })
  const map = useQuery({
    queryKey: [...skillsKey, "map"],
    queryFn: calls.map,
    refetchInterval: EVERY,
  })
  const items = list.data?.items ?? []
  return (
    <Page
      title="Skills"
      heading={list.data ? summary(items) : "Skills"}
      about="Feedback that means the same gathers into groups. A group that is large, clear and of several people becomes a skill, and a skill trains an adapter."
      aside={<ClusterNow />}
    >
      {list.isPending && <Bars rows={6} />}
      {list.isError && (
        <Failed what="The skills can't be read" error={list.error} onRetry={() => list.refetch()} />
      )}
      {list.data && (
        <Body
          items={items}
          map={map.data}
          personal={list.data.personal}
          thresholds={list.data.thresholds_version}
        />
      )}
    </Page>
  )
}

interface BodyProps {
  items: readonly Skill[]
  map: SkillMap | undefined
  personal: number
  thresholds: number
}

function Body({ items, map, personal, thresholds }: BodyProps) {
  const [chosen, setChosen] = useState<string | null>(null)
  const colours = useMemo(() => coloursOf(map?.clusters ?? []), [map])
  const loose = map?.clusters.filter(({ skill_id }) => skill_id === null) ?? []
  if (items.length === 0 && (map?.points.length ?? 0) === 0)
    return (
      <>
        <Empty title="No groups yet">
          They form once several people have taught something alike.{" "}
          {personal > 0 &&
            `${capital(many(personal, "personal skill"))}: only the person concerned sees it.`}
        </Empty>
        <Passes />
      </>
    )
  return (
    <>
      {map && map.points.length > 0 && (
        <PointMap
          map={map}
          chosen={chosen}
          onChoose={setChosen}
          label="Map of the tenant's feedback"
          className="mb-10"
        />
      )}
      {items.length > 0 && <SkillTable items={items} colours={colours} onPoint={setChosen} />}
      {loose.length > 0 && (
        <Part
          title="Groups without a skill"
          about={
            <>
              Not large, clear or shared enough yet.{" "}
              <Link href="/admin/policies" className="underline underline-offset-2 hover:text-ink">
                Thresholds, version {thresholds}
              </Link>
            </>
          }
        >
          <ul className="grid gap-x-10 sm:grid-cols-2">
            {loose.map(({ id, label, size }) => (
              <li
                key={id}
                onPointerEnter={() => setChosen(id)}
                onPointerLeave={() => setChosen(null)}
                className="flex items-center justify-between gap-4 border-t border-line py-2.5"
              >
                <span className="flex min-w-0 items-center gap-2.5">
                  <Swatch colour={colours.get(id) ?? 0} />
                  <span className="truncate font-serif text-base">{label}</span>
                </span>
                <span className="text-sm whitespace-nowrap text-faint">{many(size, "piece")}</span>
              </li>
            ))}
          </ul>
        </Part>
      )}
      {personal > 0 && (
        <p className="mt-8 text-sm text-faint">
          Beside these, {many(personal, "personal skill")}: only the person concerned sees it.
        </p>
      )}
      <Passes />
    </>
  )
}

/** What waits for a decision comes first, what is over last. */
const order: Record<Skill["state"], number> = {
  proposed: 0,
  approved: 1,
  rejected: 2,
  merged: 3,
  pruned: 4,
}

function SkillTable({
  items,
  colours,
  onPoint,
}: {
  items: readonly Skill[]
  colours: ReadonlyMap<string, number>
  onPoint: (cluster: string | null) => void
}) {
  const sorted = useMemo(
    () => [...items].sort((a, b) => order[a.state] - order[b.state] || b.size - a.size),
    [items],
  )
  return (
    <table className="w-full text-sm">
      <caption className="sr-only">Skills of this tenant</caption>
      <thead>
        <tr className="text-left text-xs text-faint [&>th]:pb-2 [&>th]:font-[550]">
          <th scope="col">Skill</th>
          <th scope="col" className="hidden w-20 text-right sm:table-cell">
            Size
          </th>
          <th scope="col" className="hidden w-24 text-right sm:table-cell">
            Positive
          </th>
          <th scope="col" className="hidden w-20 text-right sm:table-cell">
            People
          </th>
          <th
            scope="col"
            className="hidden w-32 text-right md:table-cell"
            title="Gain on held-out answers, in nats a token, as its gate measured it"
          >
            Lift
          </th>
          <th scope="col" className="w-px">
            <span className="sr-only">Decide</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {sorted.map((skill) => (
          <SkillRow
            key={skill.id}
            skill={skill}
            all={items}
            colour={colours.get(skill.cluster_id ?? "") ?? null}
            onPoint={onPoint}
          />
        ))}
      </tbody>
    </table>
  )
}

function ClusterNow() {
  const cluster = useChange(async () => {
    await calls.clusterNow()
    toast("The groups are looked at anew; the map follows in a moment.")
  }, skillsKey)
  return (
    <Button small busy={cluster.isPending} onClick={() => cluster.mutate(undefined)}>
      <RefreshCw className="size-3.5" /> Cluster again
    </Button>
  )
}

function Passes() {
  const passes = useQuery({
    queryKey: [...skillsKey, "passes"],
    queryFn: calls.passes,
    refetchInterval: EVERY,
  })
  if (!passes.data || passes.data.items.length === 0) return null
  return (
    <Part title="Passes over the feedback">
      <ul>
        {passes.data.items.map((pass) => (
          <li
            key={pass.id}
            className="flex flex-wrap items-baseline gap-x-5 gap-y-0.5 border-t border-line py-2.5 text-sm"
          >
            <span>
              {count(pass.points)} points, {many(pass.clusters, "group")}
            </span>
            <span className="flex-1 text-faint">{changesOf(pass)}</span>
            <span className="text-faint">
              {pass.algorithm === "hdbscan" ? "UMAP and HDBSCAN" : "simple rule"}, seed{" "}
              <span className="font-mono text-xs">{pass.seed}</span>
            </span>
            <span className="w-28 text-right text-faint">{ago(pass.decided_at)}</span>
          </li>
        ))}
      </ul>
    </Part>
  )
}

function changesOf({ formed, changed, ended }: ClusteringRun): string {
  const parts = [
    formed > 0 && `${formed} formed`,
    changed > 0 && `${changed} changed`,
    ended > 0 && `${ended} ended`,
  ].filter((part) => part !== false)
  return parts.length > 0 ? parts.join(", ") : "nothing new"
}

function summary(items: readonly Skill[]): string {
  const waiting = items.filter(
    ({ state, merge_into, prune_turns }) =>
      state === "proposed" || merge_into !== null || prune_turns !== null,
  ).length
  if (waiting > 0)
    return `${capital(many(waiting, "skill"))} ${waiting === 1 ? "waits" : "wait"} for you`
  const serving = items.filter(({ active, adapter }) => active && adapter?.version != null).length
  if (serving > 0) return `${capital(many(serving, "skill"))} ${serving === 1 ? "serves" : "serve"}`
  return items.length > 0 ? "Nothing to decide" : "No skills yet"
}
