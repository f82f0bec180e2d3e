/** Who is signed in. The session itself is a cookie that scripts can't read. */
import { useQuery } from "@tanstack/react-query"
import { createContext, useContext } from "react"
import { accounts } from "@/api/calls"
import type { Account } from "@/api/types"

export const meKey = ["me"] as const

export const useMe = () => useQuery({ queryKey: meKey, queryFn: accounts.me, staleTime: 300_000 })

const AccountContext = createContext<Account | null>(null)
export const AccountProvider = AccountContext.Provider

/** The signed-in account; only for views behind the sign-in. */
export function useAccount(): Account {
  const account = useContext(AccountContext)
  if (!account) throw new Error("used outside a signed-in view")
  return account
}

export const nameOf = (account: Account) => account.display_name || account.email
