/** The chat over its socket: joins the pure state and the link's machine to a WebSocket and a clock. */
import type { MessageRow } from "@/api/types"
import {
  type AnswerOptions,
  type Command,
  encodeCommand,
  type Frame,
  parseFrame,
  type TurnCommand,
} from "@/protocol"
import { closeEvent, Link, LinkEvent, nextLink, retryDelay } from "./link"
import {
  type Action,
  type ChatState,
  commandsOnOpen,
  emptyState,
  isLocal,
  type Pending,
  reduce,
  resumeCommand,
  threadOf,
  turnOfAnswer,
  unansweredTurns,
} from "./state"
import { readLive, writeLive } from "./storage"
import { type Message, Progress, shownPath } from "./tree"

const PING_EVERY = 20_000
/** Without a frame for this long the socket is dead, whatever the browser believes. */
const SILENCE_LIMIT = 45_000
const FLUSH_HIDDEN = 250

export interface ClientEvents {
  /** An answer has ended: done, stopped or failed. */
  finished: (message: Message) => void
  /** The server accepted a command, or told some news: lists of conversations may have changed. */
  news: () => void
  /** The server does not know a turn that was followed here: the history has to be read again. */
  lost: (threadId: string) => void
  /** The server refuses sockets: perhaps the session is over. */
  doubt: () => void
  signedOut: () => void
}

export class ChatClient {
  state: ChatState = emptyState
  link: Link = Link.Idle

  private socket: WebSocket | null = null
  private attempt = 0
  private lastHeard = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private heartbeat: ReturnType<typeof setInterval> | undefined
  private flushing = false
  private frames: Frame[] = []
  private readonly stopWanted = new Set<string>()
  private readonly resumeAsked = new Map<string, number>()
  private readonly listeners = new Set<() => void>()

  constructor(
    readonly accountId: string,
    private readonly url: string,
    private readonly events: ClientEvents,
  ) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  start() {
    const { turns, pending } = readLive(this.accountId)
    this.dispatch({ type: "restored", turns, pending, at: new Date().toISOString() })
    window.addEventListener("online", this.online)
    window.addEventListener("offline", this.offline)
    document.addEventListener("visibilitychange", this.shown)
    this.heartbeat = setInterval(this.beat, PING_EVERY)
    this.move(LinkEvent.Start)
  }

  stop() {
    window.removeEventListener("online", this.online)
    window.removeEventListener("offline", this.offline)
    document.removeEventListener("visibilitychange", this.shown)
    clearInterval(this.heartbeat)
    this.move(LinkEvent.Stop)
  }

  /** Connects again at once; for the person who asks for it. */
  reconnect() {
    this.move(this.link === Link.Waiting ? LinkEvent.RetryDue : LinkEvent.Start)
  }

  send(threadId: string, content: string, options?: AnswerOptions) {
    const tree = threadOf(this.state, threadId)?.tree
    const last = tree ? shownPath(tree).at(-1) : undefined
    const parentId = last?.id ?? null
    const known = isLocal(threadId) ? undefined : threadId
    this.begin(threadId, parentId, content, (client_id) => ({
      cmd: "send",
      client_id,
      content,
      conversation_id: known ?? null,
      parent_id: parentId,
      options,
    }))
  }

  edit(threadId: string, question: Message, content: string, options?: AnswerOptions) {
    this.begin(threadId, question.parentId, content, (client_id) => ({
      cmd: "edit",
      client_id,
      message_id: question.id,
      content,
      options,
    }))
  }

  regenerate(threadId: string, answer: Message, options?: AnswerOptions) {
    const refused = Object.values(this.state.pending).find(({ answerId }) => answerId === answer.id)
    if (refused) return this.again(refused)
    // an answer that came to nothing is not on the server: its question is asked again
    const kept = answer.progress !== Progress.Failed && answer.content !== ""
    if (!kept) this.dispatch({ type: "dropped", threadId, messageId: answer.id })
    this.begin(threadId, answer.parentId, null, (client_id) => ({
      cmd: "regenerate",
      client_id,
      message_id: kept || answer.parentId === null ? answer.id : answer.parentId,
      options,
    }))
  }

  stopAnswer(answerId: string) {
    const turn = turnOfAnswer(this.state, answerId)
    if (turn) return this.transmit({ cmd: "cancel", turn_id: turn.turnId })
    const pending = Object.values(this.state.pending).find((each) => each.answerId === answerId)
    if (pending && this.link === Link.Open) this.stopWanted.add(pending.clientId)
    else if (pending) this.discard(pending.clientId)
  }

  discard(clientId: string) {
    this.dispatch({ type: "discarded", clientId })
  }

  select(threadId: string, messageId: string) {
    this.dispatch({ type: "selected", threadId, messageId })
  }

  change(threadId: string, messageId: string, change: Partial<Message>) {
    this.dispatch({ type: "changed", threadId, messageId, change })
  }

  forget(threadId: string) {
    this.dispatch({ type: "forgotten", threadId })
  }

  loaded(threadId: string, rows: readonly MessageRow[]) {
    this.dispatch({ type: "loaded", threadId, rows })
    const tree = threadOf(this.state, threadId)?.tree
    const turns = unansweredTurns(threadId, rows).filter(
      ({ userId }) => !tree?.children[userId]?.length,
    )
    if (turns.length === 0) return
    this.dispatch({ type: "restored", turns, pending: [], at: new Date().toISOString() })
    for (const turn of turns) this.transmit(resumeCommand(turn))
  }

  private again(refused: Pending) {
    const { threadId, parentId, content, command } = refused
    this.discard(refused.clientId)
    this.begin(threadId, parentId, content, (client_id) => ({ ...command, client_id }))
  }

  private begin(
    threadId: string,
    parentId: string | null,
    content: string | null,
    make: (clientId: string) => TurnCommand,
  ) {
    const clientId = crypto.randomUUID()
    const command = make(clientId)
    const pending: Pending = {
      clientId,
      threadId,
      command,
      content,
      parentId,
      userId: content === null && parentId !== null ? parentId : `question:${clientId}`,
      answerId: `answer:${clientId}`,
    }
    this.dispatch({ type: "queued", pending, at: new Date().toISOString() })
    this.transmit(command)
  }

  private transmit(command: Command) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(encodeCommand(command))
  }

  private dispatch(...actions: Action[]) {
    const before = this.state
    this.state = actions.reduce(reduce, before)
    if (this.state === before) return
    if (this.state.turns !== before.turns || this.state.pending !== before.pending) {
      this.settle(before)
      writeLive(this.accountId, this.state)
    }
    this.notify()
  }

  /** What follows from turns that began, ended or have a gap. */
  private settle(before: ChatState) {
    for (const clientId of Object.keys(before.pending)) {
      if (this.state.pending[clientId]) continue
      this.events.news()
      const turn = Object.values(this.state.turns).find(({ turnId }) => !before.turns[turnId])
      if (turn && this.stopWanted.delete(clientId))
        this.transmit({ cmd: "cancel", turn_id: turn.turnId })
    }
    for (const turn of Object.values(this.state.turns)) {
      if (!turn.gap || this.resumeAsked.get(turn.turnId) === turn.lastSeq) continue
      this.resumeAsked.set(turn.turnId, turn.lastSeq)
      this.transmit(resumeCommand(turn))
    }
    for (const turn of Object.values(before.turns)) {
      if (this.state.turns[turn.turnId]) continue
      this.resumeAsked.delete(turn.turnId)
      const tree = threadOf(this.state, turn.threadId)?.tree
      const answer = Object.values(tree?.messages ?? {}).find(
        ({ turnId, role }) => turnId === turn.turnId && role === "assistant",
      )
      if (answer?.failure?.code === "not_found") this.events.lost(turn.threadId)
      else if (answer && answer.progress !== Progress.Waiting) this.events.finished(answer)
      this.events.news()
    }
  }

  private notify() {
    for (const listener of this.listeners) listener()
  }

  private move(event: LinkEvent) {
    const next = nextLink(this.link, event)
    if (next === this.link) return
    if (this.link === Link.Connecting && event === LinkEvent.Lost) this.events.doubt()
    this.link = next
    clearTimeout(this.timer)
    if (next === Link.Connecting) this.connect()
    else if (next === Link.Waiting)
      this.timer = setTimeout(() => this.move(LinkEvent.RetryDue), this.delay())
    else if (next !== Link.Open) this.close()
    if (next === Link.SignedOut) this.events.signedOut()
    this.notify()
  }

  private delay() {
    return retryDelay(this.attempt++, Math.random())
  }

  private close() {
    const socket = this.socket
    this.socket = null
    socket?.close()
  }

  private connect() {
    this.close()
    const socket = new WebSocket(this.url)
    this.socket = socket
    this.lastHeard = Date.now()
    const current = () => this.socket === socket
    socket.onopen = () => current() && this.opened()
    socket.onmessage = ({ data }) => current() && typeof data === "string" && this.heard(data)
    socket.onclose = ({ code }) => {
      if (!current()) return
      this.socket = null
      this.move(closeEvent(code))
    }
  }

  private opened() {
    this.move(LinkEvent.Opened)
    this.resumeAsked.clear()
    for (const command of commandsOnOpen(this.state)) this.transmit(command)
  }

  private heard(text: string) {
    this.lastHeard = Date.now()
    this.attempt = 0
    const frame = parseFrame(text)
    if (!frame || frame.type === "pong") return
    if (frame.type === "event") return this.events.news()
    this.frames.push(frame)
    if (this.flushing) return
    this.flushing = true
    if (document.hidden) setTimeout(this.flush, FLUSH_HIDDEN)
    else requestAnimationFrame(this.flush)
  }

  /** One change and one render for all frames since the last screen refresh. */
  private readonly flush = () => {
    this.flushing = false
    const at = new Date().toISOString()
    const frames = this.frames
    this.frames = []
    this.dispatch(...frames.map((frame): Action => ({ type: "frame", frame, at })))
  }

  private readonly beat = () => {
    if (this.link !== Link.Open) return
    if (Date.now() - this.lastHeard > SILENCE_LIMIT) this.drop()
    else this.transmit({ cmd: "ping" })
  }

  private drop() {
    this.close()
    this.move(LinkEvent.Lost)
  }

  private readonly online = () => this.move(LinkEvent.NetworkBack)
  private readonly offline = () => this.move(LinkEvent.NetworkLost)
  private readonly shown = () => {
    if (document.hidden) return
    if (this.link === Link.Waiting) this.move(LinkEvent.RetryDue)
    else this.beat()
  }
}
