/**
 * A conversation as a tree: an edited question or a second answer is a sibling, never an overwrite.
 * All functions return new trees and leave the old ones alone.
 */
import type { Feedback, MessageRow, Trace, Usage } from "@/api/types"

/** Where an answer (or a question on its way) stands. */
export enum Progress {
  Sending = "sending",
  Waiting = "waiting",
  Streaming = "streaming",
  Done = "done",
  Stopped = "stopped",
  Failed = "failed",
}

export interface Failure {
  code: string
  message: string
  retryable: boolean
}

export interface Message {
  id: string
  parentId: string | null
  role: MessageRow["role"]
  content: string
  turnId: string | null
  createdAt: string
  progress: Progress
  failure: Failure | null
  trace: Trace | null
  usage: Usage | null
  feedback: readonly Feedback[]
}

export interface Tree {
  readonly messages: Readonly<Record<string, Message>>
  readonly children: Readonly<Record<string, readonly string[]>>
  /** parent → the child that is shown; without an entry, the newest. */
  readonly selected: Readonly<Record<string, string>>
}

const ROOT = "root"
const slot = (parentId: string | null) => parentId ?? ROOT

export const emptyTree: Tree = { messages: {}, children: {}, selected: {} }

/** Adds a message as its parent's last child, or replaces the one with its id. */
export function put(tree: Tree, message: Message): Tree {
  const messages = { ...tree.messages, [message.id]: message }
  if (tree.messages[message.id]) return { ...tree, messages }
  const key = slot(message.parentId)
  const children = { ...tree.children, [key]: [...(tree.children[key] ?? []), message.id] }
  return { ...tree, messages, children }
}

export function update(tree: Tree, id: string, change: Partial<Message>): Tree {
  const message = tree.messages[id]
  if (!message) return tree
  return { ...tree, messages: { ...tree.messages, [id]: { ...message, ...change } } }
}

/** Gives a message the id that the server chose; its place, children and selection stay. */
export function rename(tree: Tree, from: string, to: string): Tree {
  const message = tree.messages[from]
  if (!message || from === to) return tree
  if (tree.messages[to]) return remove(tree, from)
  const swap = (id: string) => (id === from ? to : id)
  const messages: Record<string, Message> = {}
  for (const [id, each] of Object.entries(tree.messages)) {
    const parentId = each.parentId === from ? to : each.parentId
    messages[swap(id)] =
      id === from || parentId !== each.parentId ? { ...each, id: swap(id), parentId } : each
  }
  const children = Object.fromEntries(
    Object.entries(tree.children).map(([parent, ids]) => [swap(parent), ids.map(swap)]),
  )
  const selected = Object.fromEntries(
    Object.entries(tree.selected).map(([parent, id]) => [swap(parent), swap(id)]),
  )
  return { messages, children, selected }
}

/** Takes a message out, with everything below it. */
export function remove(tree: Tree, id: string): Tree {
  const gone = new Set<string>()
  const pending = [id]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    gone.add(next)
    pending.push(...(tree.children[next] ?? []))
  }
  const stays = (each: string) => !gone.has(each)
  return {
    messages: Object.fromEntries(Object.entries(tree.messages).filter(([key]) => stays(key))),
    children: Object.fromEntries(
      Object.entries(tree.children)
        .filter(([key]) => stays(key))
        .map(([key, ids]) => [key, ids.filter(stays)]),
    ),
    selected: Object.fromEntries(
      Object.entries(tree.selected).filter(([key, value]) => stays(key) && stays(value)),
    ),
  }
}

function shownChild(tree: Tree, key: string): Message | undefined {
  const ids = tree.children[key] ?? []
  const chosen = tree.selected[key]
  const id = chosen !== undefined && ids.includes(chosen) ? chosen : ids.at(-1)
  return id === undefined ? undefined : tree.messages[id]
}

/** The branch that is shown, from the first message to the last. */
export function shownPath(tree: Tree): Message[] {
  const path: Message[] = []
  for (let next = shownChild(tree, ROOT); next; next = shownChild(tree, next.id)) path.push(next)
  return path
}

/** A message and its siblings, oldest first. */
export function siblings(tree: Tree, id: string): readonly string[] {
  const message = tree.messages[id]
  return message ? (tree.children[slot(message.parentId)] ?? []) : []
}

/** Shows the branch that a message lies on. */
export function select(tree: Tree, id: string): Tree {
  const selected = { ...tree.selected }
  for (let next = tree.messages[id]; next;) {
    selected[slot(next.parentId)] = next.id
    next = next.parentId === null ? undefined : tree.messages[next.parentId]
  }
  return { ...tree, selected }
}
