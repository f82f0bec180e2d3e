import { expect, it } from "vitest"
import { parseFrame } from "@/protocol"
import { addressOf } from "./client"

it("fills a path's template and leaves empty values out of the query", () => {
  expect(addressOf("/v1/conversations/{id}", { id: "a/b?c" })).toBe("/v1/conversations/a%2Fb%3Fc")
  expect(
    addressOf("/v1/admin/log", {}, { type: "message.posted", owner: "", cursor: null, limit: 5 }),
  ).toBe("/v1/admin/log?type=message.posted&limit=5")
})

it("reads a frame of its own version and nothing else", () => {
  expect(parseFrame('{"v":1,"turn_id":"t","seq":1,"type":"token","text":"a"}')).toMatchObject({
    text: "a",
  })
  for (const text of [
    "",
    "[]",
    "null",
    "{",
    '{"v":2,"seq":0,"type":"pong"}',
    '{"v":1,"type":"pong"}',
    '"x"',
  ])
    expect(parseFrame(text)).toBeNull()
})
