import { useQueryClient } from "@tanstack/react-query"
import { accounts } from "@/api/calls"
import { toast } from "@/parts/Toasts"
import { navigate } from "@/router"
import { meKey, useAccount } from "@/session"
import { forgetAccount } from "@/store/storage"

/** Ends the session here and leaves nothing of it in this browser. */
export function useSignOut(end: () => Promise<void> = accounts.signOut): () => Promise<void> {
  const queries = useQueryClient()
  const { id } = useAccount()
  return async () => {
    try {
      await end()
    } catch {
      return toast("You are still signed in: the server could not be reached.", { look: "error" })
    }
    navigate("/signin")
    queries.clear()
    queries.setQueryData(meKey, null)
    forgetAccount(id)
  }
}
