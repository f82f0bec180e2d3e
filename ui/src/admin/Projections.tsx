import { useQuery } from "@tanstack/react-query"
import { useEffect, useState } from "react"
import { projections } from "@/api/calls"
import type { Projection } from "@/api/types"
import { Segmented } from "@/parts/Field"
import { Bars, Empty, Failed } from "@/parts/States"
import { TopBar } from "@/shell/TopBar"
import { LagPlot } from "./LagPlot"
import { type Measure, useLagHistory } from "./lag"
import { ProjectionRow } from "./ProjectionRow"

export const projectionsKey = ["projections"] as const
const EVERY = 1_000

const measures = [
  { value: "seconds", label: "Seconds" },
  { value: "events", label: "Events" },
] as const

export default function Projections() {
  const list = useQuery({
    queryKey: projectionsKey,
    queryFn: projections.list,
    refetchInterval: EVERY,
    staleTime: 0,
  })
  const samples = useLagHistory(list.data?.items, list.dataUpdatedAt)
  const [measure, setMeasure] = useState<Measure>("seconds")
  const [chosen, setChosen] = useState<string | null>(null)
  const items = list.data?.items ?? []
  useEffect(() => {
    document.title = "Projections · liminal"
  }, [])
  return (
    <div className="flex h-full flex-col">
      <TopBar title="Projections" plain={items.length > 0} />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-5xl px-4 pt-4 pb-20 sm:px-8">
          {list.isPending && <Bars rows={6} className="pt-8" />}
          {list.isError && items.length === 0 && (
            <Failed
              what="The projections can't be read"
              error={list.error}
              onRetry={() => list.refetch()}
            />
          )}
          {list.isSuccess && items.length === 0 && <Empty title="No projections" />}
          {items.length > 0 && (
            <>
              <header className="mb-5 flex flex-wrap items-end justify-between gap-4">
                <div>
                  <h1 className="font-serif text-2xl font-[400] tracking-[-0.018em]">
                    {summary(items)}
                  </h1>
                  <p className="mt-1 text-sm text-faint">
                    Everything shown in liminal is folded from the log. Here is how far behind it
                    each table is.
                  </p>
                </div>
                <Segmented<Measure>
                  label="Measure"
                  value={measure}
                  choices={measures}
                  onChange={setMeasure}
                />
              </header>
              <LagPlot
                samples={samples}
                names={items.map(({ name }) => name)}
                measure={measure}
                chosen={chosen}
              />
              <ul className="mt-10">
                {items.map((item) => (
                  <ProjectionRow
                    key={item.name}
                    projection={item}
                    samples={samples}
                    measure={measure}
                    onPoint={setChosen}
                  />
                ))}
              </ul>
            </>
          )}
        </div>
      </div>
    </div>
  )
}

const BEHIND = 2

function summary(items: readonly Projection[]): string {
  const parked = items.filter((each) => each.parked > 0).length
  const late = items.filter((each) => each.lag_seconds > BEHIND).length
  if (parked > 0) return parked === 1 ? "One has parked events" : `${parked} have parked events`
  if (late > 0) return late === 1 ? "One is behind" : `${late} are behind`
  return "All is up to date"
}
