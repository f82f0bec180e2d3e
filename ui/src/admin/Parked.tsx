import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { projections } from "@/api/calls"
import { wordsOf } from "@/api/client"
import { Button } from "@/parts/Button"
import { Link } from "@/parts/Link"
import { Bars, Failed } from "@/parts/States"
import { toast } from "@/parts/Toasts"
import { ago, count } from "@/parts/time"

/** Streams that wait behind an event that could not be folded. */
export function Parked({ name }: { name: string }) {
  const queries = useQueryClient()
  const key = ["projections", name, "parked"] as const
  const list = useQuery({ queryKey: key, queryFn: () => projections.parked(name) })
  const retry = useMutation({
    mutationFn: (stream: string) => projections.retry(name, stream),
    onSuccess: ({ folded, parked }) => {
      toast(`${count(folded)} folded, ${count(parked)} still parked.`)
      void queries.invalidateQueries({ queryKey: ["projections"] })
    },
    onError: (error) => toast(wordsOf(error), { look: "error" }),
  })
  return (
    <section>
      <h3 className="mb-2 text-sm font-semibold text-rose">Parked streams</h3>
      {list.isPending && <Bars rows={2} />}
      {list.isError && <Failed what="No list" error={list.error} onRetry={() => list.refetch()} />}
      <ul className="flex flex-col gap-2">
        {list.data?.items.map((each) => (
          <li
            key={each.stream}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-md bg-rose-wash px-4 py-3 text-sm"
          >
            <div className="min-w-0 flex-1">
              <p className="truncate font-mono text-xs">{each.stream}</p>
              <p className="mt-1 text-soft">{each.error}</p>
              <p className="mt-0.5 text-xs text-faint">
                {count(each.events)} events wait since {ago(each.parked_at)}, the first at{" "}
                <Link
                  href={`/admin/log?stream=${encodeURIComponent(each.stream)}&at=${each.first_position}`}
                  className="font-mono underline underline-offset-2"
                >
                  {each.first_position}
                </Link>
              </p>
            </div>
            <Button small busy={retry.isPending} onClick={() => retry.mutate(each.stream)}>
              Try again
            </Button>
          </li>
        ))}
      </ul>
    </section>
  )
}
