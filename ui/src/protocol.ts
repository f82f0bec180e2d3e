/**
 * What travels over /v1/chat/stream: commands up, frames down (docs/protocol.md).
 * The types come from the server's own schemas; only what a client may leave out is loosened here.
 */
import type { components } from "@/api/frames.gen"

type Schemas = components["schemas"]
type WithDefault = "v" | "options" | "parent_id" | "conversation_id" | "after_seq"
type Loose<T> = T extends { options?: unknown }
  ? Omit<T, WithDefault> & Partial<Omit<T, "options">> & { options?: AnswerOptions }
  : T extends unknown
    ? Omit<T, WithDefault> & Partial<T>
    : never

/** How one answer is made; what is absent is the model's own setting. */
export type AnswerOptions = Partial<Schemas["Options"]>

export type Command = Loose<Schemas["Command"]>
/** The commands that begin a turn. Each carries a `client_id`, so sending one again does nothing twice. */
export type TurnCommand = Extract<Command, { client_id: string }>
export type Frame = Schemas["Frame"]
export type FrameOf<T extends Frame["type"]> = Extract<Frame, { type: T }>
export type AdapterUse = Schemas["AdapterUse"]

export const PROTOCOL_VERSION = 1
/** Characters of one message; the server refuses more. */
export const MAX_CONTENT = 64_000

export const encodeCommand = (command: Command) =>
  JSON.stringify({ v: PROTOCOL_VERSION, ...command })

/** The frame in one websocket message, or null for anything this client doesn't understand. */
export function parseFrame(text: string): Frame | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== "object" || value === null) return null
  const { v, type, seq } = value as Record<string, unknown>
  if (v !== PROTOCOL_VERSION || typeof type !== "string" || typeof seq !== "number") return null
  return value as Frame
}
