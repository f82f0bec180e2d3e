/** The tail of the log as a list that grows at both ends. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query"
import { useEffect, useState } from "react"
import { type LogFilter, log } from "@/api/calls"
import type { LoggedEvent } from "@/api/types"

const PAGE = 60
const EVERY = 1_500

const byTime = (one: LoggedEvent, other: LoggedEvent) =>
  other.time.localeCompare(one.time) || other.position.localeCompare(one.position)

/** Two lists of events as one, newest first, each position once. */
export function merged(one: readonly LoggedEvent[], other: readonly LoggedEvent[]): LoggedEvent[] {
  const byPosition = new Map([...one, ...other].map((each) => [each.position, each]))
  return [...byPosition.values()].sort(byTime)
}

export function useEvents(filter: LogFilter, following: boolean) {
  const key = ["log", filter] as const
  const pages = useInfiniteQuery({
    queryKey: [...key, "pages"],
    queryFn: ({ pageParam }) => log.tail(filter, pageParam, PAGE),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchOnWindowFocus: false,
  })
  const tail = useQuery({
    queryKey: [...key, "tail"],
    queryFn: () => log.tail(filter, null, PAGE),
    refetchInterval: EVERY,
    enabled: following && pages.isSuccess,
    staleTime: 0,
  })
  const [seen, setSeen] = useState<{ filter: LogFilter; events: LoggedEvent[] }>({
    filter,
    events: [],
  })
  const fresh = tail.data?.items
  useEffect(() => {
    if (fresh)
      setSeen((before) => ({
        filter,
        events: merged(before.filter === filter ? before.events : [], fresh),
      }))
  }, [fresh, filter])
  const paged = pages.data?.pages.flatMap((page) => page.items) ?? []
  return { pages, events: merged(paged, seen.filter === filter ? seen.events : []) }
}
