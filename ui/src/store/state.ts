/**
 * What the chat knows, and how a frame changes it. Pure: no socket, no clock, no storage.
 *
 * A turn begins as a pending command under the client's own id. The server's `accepted` frame gives it its
 * ids; from then on `lastSeq` makes every frame count exactly once, whatever the network repeats or loses.
 */
import type { MessageRow } from "@/api/types"
import type { Command, Frame, FrameOf, TurnCommand } from "@/protocol"
import {
  emptyTree,
  type Failure,
  type Message,
  Progress,
  put,
  remove,
  rename,
  select,
  type Tree,
  update,
} from "./tree"

export interface Thread {
  /** The server's id, or a local one until the first message was accepted. */
  readonly id: string
  /** Stays the same when the id changes, so that a view need not be thrown away. */
  readonly viewKey: string
  readonly tree: Tree
  /** The history was read, or there is none because the thread began here. */
  readonly loaded: boolean
}

export interface Pending {
  readonly clientId: string
  readonly threadId: string
  readonly command: TurnCommand
  readonly userId: string
  readonly answerId: string
  /** The question where the command asks one, and the message that it follows. */
  readonly content: string | null
  readonly parentId: string | null
}

export interface Turn {
  readonly turnId: string
  readonly threadId: string
  readonly userId: string
  readonly answerId: string
  readonly lastSeq: number
  /** A frame was missed: the server has to be asked for what comes after `lastSeq`. */
  readonly gap: boolean
}

export interface ChatState {
  readonly threads: Readonly<Record<string, Thread>>
  readonly pending: Readonly<Record<string, Pending>>
  readonly turns: Readonly<Record<string, Turn>>
  /** local thread id → the id that the server gave it. */
  readonly adopted: Readonly<Record<string, string>>
}

export const emptyState: ChatState = { threads: {}, pending: {}, turns: {}, adopted: {} }

export type Action =
  | { type: "queued"; pending: Pending; at: string }
  | { type: "discarded"; clientId: string }
  | { type: "dropped"; threadId: string; messageId: string }
  | { type: "frame"; frame: Frame; at: string }
  | { type: "loaded"; threadId: string; rows: readonly MessageRow[] }
  | { type: "restored"; turns: readonly Turn[]; pending: readonly Pending[]; at: string }
  | { type: "selected"; threadId: string; messageId: string }
  | { type: "changed"; threadId: string; messageId: string; change: Partial<Message> }
  | { type: "forgotten"; threadId: string }

export function reduce(state: ChatState, action: Action): ChatState {
  switch (action.type) {
    case "queued":
      return queue(state, action.pending, action.at)
    case "discarded":
      return discard(state, action.clientId)
    case "dropped":
      return inTree(state, action.threadId, (tree) => remove(tree, action.messageId))
    case "frame":
      return reduceFrame(state, action.frame, action.at)
    case "loaded":
      return load(state, action.threadId, action.rows)
    case "restored":
      return restore(state, action)
    case "selected":
      return inTree(state, action.threadId, (tree) => select(tree, action.messageId))
    case "changed":
      return inTree(state, action.threadId, (tree) => update(tree, action.messageId, action.change))
    case "forgotten":
      return { ...state, threads: without(state.threads, action.threadId) }
  }
}

/** What the server must be told once a socket is open: commands it may not have, turns to go on with. */
export function commandsOnOpen(state: ChatState): Command[] {
  const resumes = Object.values(state.turns).map(resumeCommand)
  const sends = Object.values(state.pending)
    .filter(
      ({ threadId, answerId }) =>
        threadOf(state, threadId)?.tree.messages[answerId]?.failure === null,
    )
    .map(({ command }) => command)
  return [...resumes, ...sends]
}

/** A name for a thread that the server doesn't know yet. */
export const localThreadId = (clientId: string) => `new:${clientId}`
export const isLocal = (threadId: string) => threadId.startsWith("new:")

export const resumeCommand = (turn: Turn): Command => ({
  cmd: "resume",
  turn_id: turn.turnId,
  after_seq: turn.lastSeq,
})

export const threadOf = (state: ChatState, id: string): Thread | undefined =>
  state.threads[state.adopted[id] ?? id]

export const turnOfAnswer = (state: ChatState, answerId: string): Turn | undefined =>
  Object.values(state.turns).find((turn) => turn.answerId === answerId)

/** Frames tell a message without what was said about it. */
type TurnMessage = Omit<MessageRow, "feedback" | "sibling_ids"> & Partial<MessageRow>

/** A message as the server tells it, with nothing of it still under way. */
export function messageOf(row: TurnMessage): Message {
  return {
    id: row.id,
    parentId: row.parent_id,
    role: row.role,
    content: row.content,
    turnId: row.turn_id,
    createdAt: row.created_at,
    progress: row.status === "cancelled" ? Progress.Stopped : Progress.Done,
    failure: null,
    trace: row.trace,
    usage: row.usage,
    feedback: row.feedback ?? [],
  }
}

function blank(id: string, parentId: string | null, role: Message["role"], at: string): Message {
  return {
    id,
    parentId,
    role,
    content: "",
    turnId: null,
    createdAt: at,
    progress: Progress.Sending,
    failure: null,
    trace: null,
    usage: null,
    feedback: [],
  }
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  const { [key]: _, ...rest } = record
  return rest
}

function inTree(state: ChatState, id: string, change: (tree: Tree) => Tree): ChatState {
  const thread = threadOf(state, id) ?? {
    id,
    viewKey: id,
    tree: emptyTree,
    loaded: isLocal(id),
  }
  const tree = change(thread.tree)
  if (tree === thread.tree) return state
  return { ...state, threads: { ...state.threads, [thread.id]: { ...thread, tree } } }
}

function queue(state: ChatState, pending: Pending, at: string): ChatState {
  const { userId, answerId, content, parentId } = pending
  const next = inTree(state, pending.threadId, (tree) => {
    const asked =
      content === null ? tree : put(tree, { ...blank(userId, parentId, "user", at), content })
    return select(put(asked, blank(answerId, userId, "assistant", at)), answerId)
  })
  return { ...next, pending: { ...next.pending, [pending.clientId]: pending } }
}

function discard(state: ChatState, clientId: string): ChatState {
  const pending = state.pending[clientId]
  if (!pending) return state
  const top = pending.command.cmd === "regenerate" ? pending.answerId : pending.userId
  const next = inTree(state, pending.threadId, (tree) => remove(tree, top))
  return { ...next, pending: without(next.pending, clientId) }
}

function reduceFrame(state: ChatState, frame: Frame, at: string): ChatState {
  if (frame.type === "accepted") return accept(state, frame, at)
  if (frame.type === "error" && frame.client_id && state.pending[frame.client_id])
    return refuse(state, frame.client_id, frame)
  const turn = frame.turn_id === null ? undefined : state.turns[frame.turn_id]
  if (!turn) return state
  if (frame.type === "error" && frame.seq === 0) return applyToTurn(state, turn, frame)
  if (frame.seq <= turn.lastSeq) return state
  if (frame.seq > turn.lastSeq + 1) return putTurn(state, { ...turn, gap: true })
  return applyToTurn(putTurn(state, { ...turn, lastSeq: frame.seq, gap: false }), turn, frame)
}

const putTurn = (state: ChatState, turn: Turn): ChatState => ({
  ...state,
  turns: { ...state.turns, [turn.turnId]: turn },
})

function applyToTurn(state: ChatState, turn: Turn, frame: Frame): ChatState {
  const change = (make: (answer: Message) => Partial<Message>) =>
    inTree(state, turn.threadId, (tree) => {
      const answer = tree.messages[turn.answerId]
      return answer ? update(tree, turn.answerId, make(answer)) : tree
    })
  switch (frame.type) {
    case "routed":
      return change(() => ({
        progress: Progress.Waiting,
        trace: {
          model: frame.model,
          adapters: frame.adapters,
          policy_version: frame.policy_version,
          seed: frame.seed,
          finish_reason: null,
        },
      }))
    case "token":
      return change(({ content }) => ({
        progress: Progress.Streaming,
        content: content + frame.text,
      }))
    case "message_done":
      return endTurn(state, turn.turnId, messageOf(frame.message as unknown as TurnMessage))
    case "cancelled":
      return endTurn(state, turn.turnId, {
        ...(frame.message ? messageOf(frame.message as unknown as TurnMessage) : {}),
        progress: Progress.Stopped,
      })
    case "error":
      return endTurn(state, turn.turnId, { progress: Progress.Failed, failure: failureOf(frame) })
    default:
      return state
  }
}

const failureOf = ({ code, message, retryable }: FrameOf<"error">): Failure => ({
  code,
  message,
  retryable,
})

function endTurn(state: ChatState, turnId: string, change: Partial<Message>): ChatState {
  const turn = state.turns[turnId]
  if (!turn) return state
  const next = inTree(state, turn.threadId, (tree) => {
    const renamed = change.id ? rename(tree, turn.answerId, change.id) : tree
    return update(renamed, change.id ?? turn.answerId, change)
  })
  return { ...next, turns: without(next.turns, turnId) }
}

function refuse(state: ChatState, clientId: string, frame: FrameOf<"error">): ChatState {
  const pending = state.pending[clientId]
  if (!pending) return state
  return inTree(state, pending.threadId, (tree) =>
    update(tree, pending.answerId, { progress: Progress.Failed, failure: failureOf(frame) }),
  )
}

const ended = new Set([Progress.Done, Progress.Stopped])

function accept(state: ChatState, frame: FrameOf<"accepted">, at: string): ChatState {
  const { turn_id: turnId, client_id: clientId, conversation_id: threadId } = frame
  if (turnId === null) return state
  const known = state.turns[turnId]
  const pending = state.pending[clientId]
  if (known && !pending) return state
  const adopted = adopt(state, pending?.threadId ?? threadId, threadId)
  const named = inTree(adopted, threadId, (tree) => withServerIds(tree, pending, frame))
  const settled = { ...named, pending: without(named.pending, clientId) }
  const answer = threadOf(named, threadId)?.tree.messages[frame.assistant_message_id]
  // sent again after a reload, and answered meanwhile: the history has told the whole of it
  if (known || (answer && ended.has(answer.progress))) return settled
  const started = inTree(settled, threadId, (tree) =>
    put(tree, {
      ...(answer ?? blank(frame.assistant_message_id, frame.user_message_id, "assistant", at)),
      progress: Progress.Waiting,
      failure: null,
      turnId,
    }),
  )
  return putTurn(started, {
    turnId,
    threadId,
    userId: frame.user_message_id,
    answerId: frame.assistant_message_id,
    lastSeq: frame.seq,
    gap: false,
  })
}

function withServerIds(tree: Tree, pending: Pending | undefined, frame: FrameOf<"accepted">): Tree {
  const asked = pending ? rename(tree, pending.userId, frame.user_message_id) : tree
  const named = pending ? rename(asked, pending.answerId, frame.assistant_message_id) : asked
  const change: Partial<Message> = { progress: Progress.Done }
  // another answer to an old question is a turn of its own
  if (pending?.content !== null) change.turnId = frame.turn_id
  return update(named, frame.user_message_id, change)
}

function adopt(state: ChatState, localId: string, id: string): ChatState {
  const thread = state.threads[localId]
  if (localId === id || !thread) return state
  const moved = { ...without(state.threads, localId), [id]: { ...thread, id } }
  const pending = Object.fromEntries(
    Object.entries(state.pending).map(([key, each]) => [
      key,
      each.threadId === localId ? { ...each, threadId: id } : each,
    ]),
  )
  return { ...state, threads: moved, pending, adopted: { ...state.adopted, [localId]: id } }
}

/** The history as the server has it; what it doesn't tell (yet) stays. */
function load(state: ChatState, threadId: string, rows: readonly MessageRow[]): ChatState {
  const before = threadOf(state, threadId)
  const told = rows.reduce((tree, row) => put(tree, messageOf(row)), emptyTree)
  const answered = new Set(
    rows.filter(({ role }) => role === "assistant").map((row) => row.turn_id),
  )
  const tree = Object.values(before?.tree.messages ?? {})
    .filter(
      ({ id, role, turnId }) =>
        !told.messages[id] && !(role === "assistant" && answered.has(turnId)),
    )
    .reduce(put, told)
  const thread: Thread = {
    id: threadId,
    viewKey: before?.viewKey ?? threadId,
    tree: { ...tree, selected: before?.tree.selected ?? {} },
    loaded: true,
  }
  const turns = Object.entries(state.turns).filter(([turnId]) => !answered.has(turnId))
  return {
    ...state,
    turns: Object.fromEntries(turns),
    threads: { ...state.threads, [threadId]: thread },
  }
}

/** Questions that the history has no answer to at all: turns to ask the server about. */
export function unansweredTurns(threadId: string, rows: readonly MessageRow[]): Turn[] {
  const answered = new Set(
    rows.filter(({ role }) => role === "assistant").map(({ parent_id }) => parent_id),
  )
  return rows.flatMap(({ id, role, turn_id: turnId }) =>
    role === "user" && turnId !== null && !answered.has(id)
      ? [{ turnId, threadId, userId: id, answerId: `answer:${turnId}`, lastSeq: 0, gap: false }]
      : [],
  )
}

/** Takes up what was under way before a reload. The text so far is gone, so turns start over at seq 0. */
function restore(state: ChatState, action: Extract<Action, { type: "restored" }>): ChatState {
  const missing = action.turns.filter(({ turnId }) => !state.turns[turnId])
  const resumed = missing.reduce((next, turn) => {
    const answer = blank(turn.answerId, turn.userId, "assistant", action.at)
    return putTurn(
      inTree(next, turn.threadId, (tree) =>
        put(tree, { ...answer, progress: Progress.Waiting, turnId: turn.turnId }),
      ),
      { ...turn, lastSeq: 0, gap: false },
    )
  }, state)
  return action.pending.reduce((next, pending) => queue(next, pending, action.at), resumed)
}
