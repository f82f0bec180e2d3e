/** The list of conversations as a query, and what can be done with one of them. */
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query"
import { conversations } from "@/api/calls"
import type { Conversation } from "@/api/types"
import { toast } from "@/parts/Toasts"

const base = ["conversations"] as const
const listKey = (archived: boolean) => [...base, archived ? "archived" : "kept"] as const
export const conversationsKey = base

export function useConversations(archived: boolean) {
  const list = useInfiniteQuery({
    queryKey: listKey(archived),
    queryFn: ({ pageParam }) => conversations.page(archived, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  })
  return { ...list, items: list.data?.pages.flatMap((page) => page.items) ?? [] }
}

type Pages = {
  pages: { items: Conversation[]; next_cursor: string | null }[]
  pageParams: unknown[]
}

/** Changes that show at once, and are taken back when the server refuses. */
function useChange<T>(
  call: (id: string, value: T) => Promise<unknown>,
  apply: (each: Conversation, value: T) => Conversation | null,
  refusal: string,
) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ id, value }: { id: string; value: T }) => call(id, value),
    onMutate: async ({ id, value }) => {
      await queries.cancelQueries({ queryKey: base })
      queries.setQueriesData<Pages>({ queryKey: base }, (data) =>
        data && "pages" in data
          ? {
              ...data,
              pages: data.pages.map((page) => ({
                ...page,
                items: page.items.flatMap((each) =>
                  each.id === id ? (apply(each, value) ?? []) : each,
                ),
              })),
            }
          : data,
      )
    },
    onError: () => toast(refusal, { look: "error" }),
    onSettled: () => queries.invalidateQueries({ queryKey: base }),
  })
}

export const useRename = () =>
  useChange(
    (id, title: string) => conversations.change(id, { title }),
    (each, title) => ({ ...each, title }),
    "The title was not changed.",
  )

export const useArchive = () =>
  useChange(
    (id, archived: boolean) => conversations.change(id, { archived }),
    () => null,
    "The conversation was not moved.",
  )

export const useRemove = () =>
  useChange(
    (id, _: null) => conversations.remove(id),
    () => null,
    "The conversation was not deleted.",
  )

export const titleOf = (conversation: { title: string | null }) =>
  conversation.title || "New conversation"
