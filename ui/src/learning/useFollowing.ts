/** Follows a piece of feedback on its way into answers: asks while something may happen, and no longer. */
import { useQuery } from "@tanstack/react-query"
import { learning } from "@/api/calls"
import type { Feedback } from "@/api/types"
import { isUnderWay, type Stage, stageOf } from "./words"

const EVERY = 2_500
/** Feedback of the last minutes may still be on its way; older feedback has arrived, or waits for more. */
const FRESH = 10 * 60_000
/** A run begins soon after the feedback that it was queued for, or not because of it. */
const SOON = 60_000

export const runsKey = ["training"] as const
export const influenceKey = (id: string) => ["influence", id] as const

const age = (feedback: Feedback) => Date.now() - Date.parse(feedback.updated_at)
const isDraft = ({ id }: Feedback) => id.startsWith("draft:")

export function useFollowing(feedback: Feedback): Stage | null {
  const wanted = !isDraft(feedback) && age(feedback) < FRESH
  const runs = useQuery({
    queryKey: runsKey,
    queryFn: learning.runs,
    enabled: wanted,
    staleTime: EVERY,
    refetchInterval: ({ state }) =>
      age(feedback) < SOON || state.data?.items.some(isUnderWay) ? EVERY : false,
  })
  const items = runs.data?.items ?? []
  // what became of it is asked again whenever a run has moved on
  const moved = items.map(({ id, state, decision }) => `${id} ${state} ${decision}`).join()
  const influence = useQuery({
    queryKey: [...influenceKey(feedback.id), moved],
    queryFn: () => learning.influence(feedback.id),
    enabled: wanted && items.length > 0,
    placeholderData: (before) => before,
  })
  return wanted ? stageOf(feedback, items, influence.data) : null
}
