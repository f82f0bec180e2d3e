/** What an account prefers, kept by the server. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { accounts } from "@/api/calls"
import type { Preferences } from "@/api/types"
import { toast } from "@/parts/Toasts"

const key = ["preferences"] as const
const defaults: Preferences = {
  theme: "system",
  language: "en",
  send_on_enter: true,
  learn_from_feedback: true,
  custom_instructions: "",
}

export const usePreferences = (): Preferences =>
  useQuery({ queryKey: key, queryFn: accounts.preferences, staleTime: 300_000 }).data ?? defaults

export function useChangePreferences() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: accounts.changePreferences,
    onMutate: (change) => {
      queries.setQueryData<Preferences>(key, (before) => ({ ...(before ?? defaults), ...change }))
    },
    onError: () => toast("The setting was not kept.", { look: "error" }),
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  })
}
