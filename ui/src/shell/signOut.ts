import { accounts } from "@/api/calls"
import { toast } from "@/parts/Toasts"
import { useAccount } from "@/session"
import { forgetAccount } from "@/store/storage"

/** Ends the session here and leaves nothing of it in this browser, neither stored nor in memory. */
export function useSignOut(end: () => Promise<unknown> = accounts.signOut): () => Promise<void> {
  const { id } = useAccount()
  return async () => {
    try {
      await end()
    } catch {
      return toast("You are still signed in: the server could not be reached.", { look: "error" })
    }
    forgetAccount(id)
    location.assign("/signin")
  }
}
