/** What outlives a reload, per account: drafts, commands not yet accepted, turns under way. */
import type { ChatState, Pending, Turn } from "./state"

const PREFIX = "liminal"
const liveKey = (accountId: string) => `${PREFIX}.${accountId}.live`
const draftKey = (accountId: string, threadId: string) => `${PREFIX}.${accountId}.draft.${threadId}`

interface Live {
  turns: Turn[]
  pending: Pending[]
}

export function readLive(accountId: string): Live {
  try {
    const { turns, pending } = JSON.parse(
      localStorage.getItem(liveKey(accountId)) ?? "{}",
    ) as Partial<Live>
    return { turns: turns ?? [], pending: pending ?? [] }
  } catch {
    return { turns: [], pending: [] }
  }
}

export function writeLive(accountId: string, state: ChatState): void {
  const live: Live = { turns: Object.values(state.turns), pending: Object.values(state.pending) }
  if (live.turns.length + live.pending.length === 0) localStorage.removeItem(liveKey(accountId))
  else localStorage.setItem(liveKey(accountId), JSON.stringify(live))
}

export const readDraft = (accountId: string, threadId: string) =>
  localStorage.getItem(draftKey(accountId, threadId)) ?? ""

export function writeDraft(accountId: string, threadId: string, text: string): void {
  if (text === "") localStorage.removeItem(draftKey(accountId, threadId))
  else localStorage.setItem(draftKey(accountId, threadId), text)
}

/** Leaves nothing that a person wrote behind on a shared machine. */
export function forgetAccount(accountId: string): void {
  const keys = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index))
  for (const key of keys)
    if (key?.startsWith(`${PREFIX}.${accountId}.`)) localStorage.removeItem(key)
}
