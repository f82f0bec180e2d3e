import { renderToStaticMarkup } from "react-dom/server"
import { describe, expect, it } from "vitest"
import { grammarName } from "./languages"
import { safeAddress } from "./links"
import { Markdown } from "./Markdown"
import { mended } from "./mend"
import { type Block, parseBlocks, withMathDelimiters } from "./parse"

const html = (text: string) => renderToStaticMarkup(<Markdown text={text} />)

describe("an answer's Markdown", () => {
  it("shows raw HTML as text, never as elements", () => {
    for (const attack of [
      "<script>alert(1)</script>",
      "hello <img src=x onerror=alert(1)> there",
      "<iframe src='https://evil.example'></iframe>",
      "<svg onload=alert(1)>",
      "<a href='javascript:alert(1)'>x</a>",
    ]) {
      const shown = html(attack)
      expect(shown).not.toMatch(/<(?:script|img|iframe|svg|a)\b/)
      expect(shown).toContain("&lt;")
    }
  })

  it("loads no image, and offers its address as a link", () => {
    const shown = html("![a cat](https://evil.example/cat.png)")
    expect(shown).not.toContain("<img")
    expect(shown).toContain('href="https://evil.example/cat.png"')
    expect(shown).toContain("[image: a cat]")
  })

  it("links only to addresses on the list, in a new tab that knows nothing of this one", () => {
    expect(html("[x](https://example.org/a)")).toContain('rel="noopener noreferrer nofollow"')
    expect(html("[x](mailto:ada@example.org)")).toContain('href="mailto:ada@example.org"')
    for (const url of [
      "javascript:alert(1)",
      "JaVaScRiPt:alert(1)",
      "data:text/html,x",
      "vbscript:x",
      "file:///etc/passwd",
      "/settings",
      "//evil.example",
      "blob:https://x",
    ])
      expect(html(`[x](${url})`)).toBe('<div class="prose "><p>x</p></div>')
  })

  it("doesn't let control characters smuggle a scheme", () => {
    expect(safeAddress("java\nscript:alert(1)")).toBeNull()
    expect(safeAddress("\u0001javascript:alert(1)")).toBeNull()
    expect(safeAddress(" https://example.org ")).toBe("https://example.org/")
  })

  it("draws tables, tasks, strikes, footnotes and reference links", () => {
    expect(html("| a | b |\n|--|--:|\n| 1 | 2 |")).toContain('<td style="text-align:right">2</td>')
    expect(html("- [x] done")).toMatch(/<li class="task"><input[^>]*checked=""/)
    expect(html("~~gone~~")).toContain("<del>gone</del>")
    expect(html("a[^1]\n\n[^1]: note")).toContain("<sup>1</sup>")
    expect(html("[a][r]\n\n[r]: https://example.org")).toContain('href="https://example.org/"')
  })

  it("keeps code as it is", () => {
    expect(html("```html\n<b>$5 and $6</b>\n```")).toContain("&lt;b&gt;$5 and $6&lt;/b&gt;")
    expect(html("`<b>`")).toContain("<code>&lt;b&gt;</code>")
  })
})

describe("formulas", () => {
  it.each([
    ["so \\(a^2\\) is", "so $$a^2$$ is"],
    ["where $r_a$ is", "where $$r_a$$ is"],
    ["\\[x = 1\\]", "\n$$\nx = 1\n$$\n"],
    ["$$y$$", "$$y$$"],
  ])("are read from %s", (text, delimited) => {
    expect(withMathDelimiters(text)).toBe(delimited)
  })

  it.each([
    "it costs $5 and then $10",
    "US$5 or $ 6 $",
    "`$x$` in code",
    "```\n$x$\n```",
    "\\$5 and \\$6",
    "$5, $6",
  ])("are not read into %s", (text) => {
    expect(withMathDelimiters(text)).toBe(text)
  })
})

const essay = `# Title

First *paragraph* with a [link](https://example.org).

1. one
2. two

   still two

> quote
continued

\`\`\`python
def f():

    return "$x$"
\`\`\`

| a | b |
|---|---|
| 1 | 2 |

Setext
------

Last words with $x$ and **bold**.
`

describe("a text that grows", () => {
  it("is at every length the same as if it had been parsed whole", () => {
    let blocks: Block[] = []
    for (let end = 1; end <= essay.length; end++) {
      const text = essay.slice(0, end)
      blocks = parseBlocks(text, blocks)
      const shape = (list: Block[]) => list.flatMap(({ nodes }) => nodes.map(({ type }) => type))
      expect(shape(blocks), JSON.stringify(text.slice(-30))).toEqual(shape(parseBlocks(text, [])))
    }
  })

  it("keeps the finished blocks as the same objects, so that they are not drawn again", () => {
    const before = parseBlocks(essay, [])
    const after = parseBlocks(`${essay}\nAnd more.`, before)
    expect(after.slice(0, before.length - 2)).toEqual(before.slice(0, -2))
    expect(after[0]).toBe(before[0])
  })

  it.each([
    ["so **bol", "so **bol**"],
    ["so **", "so "],
    ["call `fn", "call `fn`"],
    ["see [the pa", "see the pa"],
    ["see [the paper](https://exa", "see the paper"],
    ["a **b** and `c`", "a **b** and `c`"],
    ["done **a**.\n\nthen **b", "done **a**.\n\nthen **b**"],
    ["```py\nx = a ** b", "```py\nx = a ** b"],
    ["```py\n\nx = a ** b", "```py\n\nx = a ** b"],
  ])("is shown without half a mark: %j", (text, shown) => {
    expect(mended(text)).toBe(shown)
  })
})

describe("highlighting", () => {
  it("knows languages by their usual names, and no others", () => {
    expect(grammarName("TS")).toBe("typescript")
    expect(grammarName("python")).toBe("python")
    expect(grammarName("toString")).toBeNull()
    expect(grammarName("brainfuck")).toBeNull()
  })
})
