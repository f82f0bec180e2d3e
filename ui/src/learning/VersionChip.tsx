import type { AdapterVersion } from "@/api/types"
import { Chip, type ChipLook } from "@/parts/Small"
import { versionWords } from "./words"

const looks: Record<AdapterVersion["state"], ChipLook> = {
  trained: "tide",
  evaluated: "tide",
  promoted: "plain",
  rejected: "rose",
  rolled_back: "plain",
}

export function VersionChip({ version }: { version: AdapterVersion }) {
  return <Chip look={version.serving ? "lamp" : looks[version.state]}>{versionWords(version)}</Chip>
}
