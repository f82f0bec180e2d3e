import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { feedback, learning } from "@/api/calls"
import { wordsOf } from "@/api/client"
import { Button } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { toast } from "@/parts/Toasts"
import { count } from "@/parts/time"

/** Takes everything back, a piece at a time, so that what was done stays done if it is interrupted. */
async function forgetAll(onStep: (done: number) => void): Promise<void> {
  let done = 0
  let first: string | undefined
  for (;;) {
    const { items } = await feedback.page(null)
    // the list no longer has what was taken back; a list that stays as it was would never end
    if (items.length === 0 || items[0]?.id === first) break
    first = items[0]?.id
    for (const { id } of items) {
      await feedback.withdraw(id)
      onStep(++done)
    }
  }
  const { preferences, skills } = await learning.learned()
  for (const { id } of preferences) {
    await learning.deletePreference(id)
    onStep(++done)
  }
  for (const { id, state } of skills) {
    if (state === "merged" || state === "pruned") continue
    await learning.deleteSkill(id)
    onStep(++done)
  }
}

/** The way out: nothing that was taught or noticed counts any more. */
export function ForgetAll() {
  const queries = useQueryClient()
  const [asked, setAsked] = useState(false)
  const [done, setDone] = useState<number | null>(null)
  const [error, setError] = useState<string | null>(null)
  const run = async () => {
    setError(null)
    setDone(0)
    try {
      await forgetAll(setDone)
      setAsked(false)
      toast("Everything was taken back.")
    } catch (refusal) {
      setError(wordsOf(refusal))
    } finally {
      setDone(null)
      // conversations show feedback beside their answers
      void queries.invalidateQueries()
    }
  }
  return (
    <section className="mt-14 flex flex-wrap items-center justify-between gap-4 border-t border-line pt-5">
      <div className="max-w-md">
        <h2 className="text-base font-[550]">Forget all of it</h2>
        <p className="mt-0.5 text-sm text-faint">
          Every rule, correction, note, thumb, wish and skill of yours is taken back, and adapters
          that rest on them leave your answers. Conversations stay.
        </p>
      </div>
      <Button small look="danger" onClick={() => setAsked(true)}>
        Forget everything
      </Button>
      {asked && (
        <Confirm
          title="Forget everything it has learned from you?"
          action={done === null ? "Forget everything" : `${count(done)} taken back`}
          busy={done !== null}
          error={error}
          onClose={() => setAsked(false)}
          onConfirm={run}
        >
          This can't be undone. Your next answers are the base model's own, with what is shared by
          everybody here.
        </Confirm>
      )}
    </section>
  )
}
