import { describe, expect, it } from "vitest"
import { closeEvent, Link, LinkEvent, nextLink, retryDelay } from "./link"

const walked = (...events: LinkEvent[]) => events.reduce(nextLink, Link.Idle)

describe("the link", () => {
  it("opens, is lost, waits and tries again", () => {
    expect(walked(LinkEvent.Start, LinkEvent.Opened)).toBe(Link.Open)
    expect(walked(LinkEvent.Start, LinkEvent.Opened, LinkEvent.Lost)).toBe(Link.Waiting)
    expect(walked(LinkEvent.Start, LinkEvent.Lost, LinkEvent.RetryDue)).toBe(Link.Connecting)
  })

  it("doesn't try while there is no network, and tries at once when it is back", () => {
    const offline = walked(LinkEvent.Start, LinkEvent.Opened, LinkEvent.NetworkLost)
    expect(nextLink(offline, LinkEvent.RetryDue)).toBe(Link.Offline)
    expect(nextLink(offline, LinkEvent.NetworkBack)).toBe(Link.Connecting)
  })

  it("doesn't fight another window for its place", () => {
    const replaced = nextLink(Link.Open, closeEvent(4409))
    expect(replaced).toBe(Link.Replaced)
    expect(nextLink(replaced, LinkEvent.NetworkBack)).toBe(Link.Replaced)
    expect(nextLink(replaced, LinkEvent.Start)).toBe(Link.Connecting)
  })

  it("stays out once the session is over", () => {
    const out = nextLink(Link.Open, closeEvent(4401))
    expect(out).toBe(Link.SignedOut)
    expect(nextLink(out, LinkEvent.RetryDue)).toBe(Link.SignedOut)
  })

  it("mends every other close by a reconnect", () => {
    for (const code of [1000, 1006, 1009, 1012, 4429])
      expect(nextLink(Link.Open, closeEvent(code))).toBe(Link.Waiting)
  })

  it("stops from everywhere", () => {
    for (const link of Object.values(Link)) expect(nextLink(link, LinkEvent.Stop)).toBe(Link.Idle)
  })

  it("waits longer after each failure, within bounds, never twice the same way", () => {
    expect(retryDelay(0, 0)).toBe(200)
    expect(retryDelay(0, 1)).toBe(400)
    expect(retryDelay(3, 0.5)).toBeGreaterThan(retryDelay(2, 0.5))
    expect(retryDelay(50, 1)).toBe(15_000)
  })
})
