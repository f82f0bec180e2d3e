// Writes src/api/schema.gen.ts from openapi.json (`liminal api spec`) and src/api/frames.gen.ts
// from frames.json (the frame schemas of docs/protocol.md).
import { readFile, writeFile } from "node:fs/promises"
import openapiTS, { astToString } from "openapi-typescript"

const file = (name) => new URL(`../${name}`, import.meta.url)
const read = async (name) => JSON.parse(await readFile(file(name), "utf8"))

/** A JSON Schema's definitions as the components of an OpenAPI document, which one generator reads. */
function asOpenApi(schema) {
  const text = JSON.stringify(schema.$defs).replaceAll("#/$defs/", "#/components/schemas/")
  return {
    openapi: "3.1.0",
    info: { title: "frames", version: "1" },
    paths: {},
    components: { schemas: JSON.parse(text) },
  }
}

async function generate(document, target) {
  const nodes = await openapiTS(document, { rootTypes: false, alphabetize: true })
  await writeFile(file(target), astToString(nodes))
}

await generate(asOpenApi(await read("frames.json")), "src/api/frames.gen.ts")
await generate(await read("openapi.json"), "src/api/schema.gen.ts")
