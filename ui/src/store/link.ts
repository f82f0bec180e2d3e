/** The life of the socket: one enum of states, one of events, one table between them. */

export enum Link {
  Idle = "idle",
  Connecting = "connecting",
  Open = "open",
  /** Lost; a timer runs until the next try. */
  Waiting = "waiting",
  /** The browser says there is no network. */
  Offline = "offline",
  /** The account has too many sockets; this one gave way and comes back on request. */
  Replaced = "replaced",
  SignedOut = "signed-out",
}

export enum LinkEvent {
  Start = "start",
  Opened = "opened",
  Lost = "lost",
  Unauthorized = "unauthorized",
  Replaced = "replaced",
  RetryDue = "retry-due",
  NetworkLost = "network-lost",
  NetworkBack = "network-back",
  Stop = "stop",
}

type Row = Partial<Record<LinkEvent, Link>>

const anywhere: Row = { [LinkEvent.Stop]: Link.Idle, [LinkEvent.Unauthorized]: Link.SignedOut }

const table: Record<Link, Row> = {
  [Link.Idle]: { [LinkEvent.Start]: Link.Connecting },
  [Link.Connecting]: {
    ...anywhere,
    [LinkEvent.Opened]: Link.Open,
    [LinkEvent.Lost]: Link.Waiting,
    [LinkEvent.Replaced]: Link.Replaced,
    [LinkEvent.NetworkLost]: Link.Offline,
  },
  [Link.Open]: {
    ...anywhere,
    [LinkEvent.Lost]: Link.Waiting,
    [LinkEvent.Replaced]: Link.Replaced,
    [LinkEvent.NetworkLost]: Link.Offline,
  },
  [Link.Waiting]: {
    ...anywhere,
    [LinkEvent.RetryDue]: Link.Connecting,
    [LinkEvent.NetworkBack]: Link.Connecting,
    [LinkEvent.NetworkLost]: Link.Offline,
  },
  [Link.Offline]: { ...anywhere, [LinkEvent.NetworkBack]: Link.Connecting },
  [Link.Replaced]: { ...anywhere, [LinkEvent.Start]: Link.Connecting },
  [Link.SignedOut]: { [LinkEvent.Stop]: Link.Idle, [LinkEvent.Start]: Link.Connecting },
}

/** The state after an event; an event that means nothing in a state changes nothing. */
export const nextLink = (link: Link, event: LinkEvent): Link => table[link][event] ?? link

const closeEvents: Record<number, LinkEvent> = {
  4401: LinkEvent.Unauthorized,
  4409: LinkEvent.Replaced,
}

/** What a close code means; every other code is a loss that a reconnect mends. */
export const closeEvent = (code: number): LinkEvent => closeEvents[code] ?? LinkEvent.Lost

const FIRST_DELAY = 400
const LONGEST_DELAY = 15_000

/** Milliseconds to wait before try `attempt` (from 0): exponential, with half of it jittered. */
export function retryDelay(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt)
  return ceiling / 2 + (ceiling / 2) * random
}
