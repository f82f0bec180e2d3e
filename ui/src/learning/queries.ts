/** What liminal has learned, as the browser keeps it, and the changes to it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { learning } from "@/api/calls"
import { wordsOf } from "@/api/client"
import { toast } from "@/parts/Toasts"

export const learnedKey = ["learned"] as const
export const adaptersKey = ["adapters"] as const

export const useLearned = () => useQuery({ queryKey: learnedKey, queryFn: learning.learned })
export const useAdapters = () => useQuery({ queryKey: adaptersKey, queryFn: learning.adapters })

/** Runs a change, then reads again what it may have changed; says why where it was refused. */
export function useChange<T>(
  change: (argument: T) => Promise<unknown>,
  ...keys: readonly (readonly unknown[])[]
) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSettled: () => Promise.all(keys.map((queryKey) => queries.invalidateQueries({ queryKey }))),
    onError: (error) => toast(wordsOf(error), { look: "error" }),
  })
}
