import { useQuery } from "@tanstack/react-query"
import { Pause, Play } from "lucide-react"
import { training } from "@/api/calls"
import type { TrainingRun } from "@/api/types"
import { useChange } from "@/learning/queries"
import { capital, isOpen, many } from "@/learning/words"
import { Button } from "@/parts/Button"
import { Page, Part } from "@/parts/Page"
import { Bars, Empty, Failed } from "@/parts/States"
import { AdapterRow } from "./AdapterRow"
import { EndedRun, OpenRun } from "./Runs"

export const trainingKey = ["admin-training"] as const
const LIVE = 1_000
const IDLE = 5_000

/** What is being learned now, and all that came of it. */
export default function Learning() {
  const state = useQuery({ queryKey: [...trainingKey, "state"], queryFn: training.state })
  const runs = useQuery({
    queryKey: [...trainingKey, "runs"],
    queryFn: training.runs,
    staleTime: 0,
    refetchInterval: ({ state: { data } }) => (data?.items.some(isOpen) ? LIVE : IDLE),
  })
  const adapters = useQuery({
    queryKey: [...trainingKey, "adapters"],
    queryFn: training.adapters,
    refetchInterval: IDLE,
  })
  const paused = state.data?.paused ?? false
  const open = runs.data?.items.filter(isOpen) ?? []
  const ended = runs.data?.items.filter((run) => !isOpen(run)) ?? []
  const made = adapters.data?.items ?? []
  return (
    <Page
      title="Learning"
      heading={summary(paused, open)}
      about="Feedback becomes a training run, a run becomes a version, and a version serves only once it has passed its gate."
      aside={state.data && <PauseSwitch paused={paused} />}
    >
      {(runs.isPending || adapters.isPending) && <Bars rows={6} />}
      {(runs.error ?? adapters.error) && (
        <Failed
          what="What is learned can't be read"
          error={runs.error ?? adapters.error}
          onRetry={() => {
            void runs.refetch()
            void adapters.refetch()
          }}
        />
      )}
      {runs.isSuccess && adapters.isSuccess && runs.data.items.length + made.length === 0 && (
        <Empty title="Nothing has been learned yet">
          Once a person has said enough, or a skill is approved, a run begins by itself.
        </Empty>
      )}
      {open.length > 0 && (
        <Part title="Now" about={paused ? "Standing still until learning goes on." : undefined}>
          <ul className="flex flex-col gap-3">
            {open.map((run) => (
              <OpenRun key={run.id} run={run} paused={paused} />
            ))}
          </ul>
        </Part>
      )}
      {made.length > 0 && (
        <Part
          title="What was made"
          about="Every adapter with every version of it. People's own words stay closed to everybody else, here too."
        >
          <ul>
            {made.map((adapter) => (
              <AdapterRow key={adapter.id} adapter={adapter} />
            ))}
          </ul>
        </Part>
      )}
      {ended.length > 0 && (
        <Part title="Runs that ended">
          <ul>
            {ended.map((run) => (
              <EndedRun key={run.id} run={run} />
            ))}
          </ul>
        </Part>
      )}
    </Page>
  )
}

function summary(paused: boolean, open: readonly TrainingRun[]): string {
  if (paused) return "Learning is paused"
  const running = open.filter(({ state }) => state === "running").length
  if (running > 0)
    return `${capital(many(running, "run"))} ${running === 1 ? "is" : "are"} learning`
  if (open.length > 0) return `${capital(many(open.length, "run"))} in the queue`
  return "Nothing to learn just now"
}

function PauseSwitch({ paused }: { paused: boolean }) {
  const change = useChange(() => (paused ? training.resume() : training.pause()), trainingKey)
  return (
    <Button
      small
      look={paused ? "primary" : "quiet"}
      busy={change.isPending}
      onClick={() => change.mutate(undefined)}
    >
      {paused ? <Play className="size-3.5" /> : <Pause className="size-3.5" />}
      {paused ? "Go on learning" : "Pause learning"}
    </Button>
  )
}
