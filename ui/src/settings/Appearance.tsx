import { Monitor, Moon, Sun } from "lucide-react"
import { Segmented } from "@/parts/Field"
import { setSingleKeys, useSingleKeys } from "@/shell/shortcuts"
import { type Face, setFace, setTheme, type Theme, useFace, useTheme } from "@/theme/theme"
import { Setting, Toggle } from "./Group"
import { useChangePreferences, usePreferences } from "./preferences"

const icon = "size-4"
const themes = [
  {
    value: "system",
    label: (
      <>
        <Monitor className={icon} /> As the system
      </>
    ),
  },
  {
    value: "light",
    label: (
      <>
        <Sun className={icon} /> Light
      </>
    ),
  },
  {
    value: "dark",
    label: (
      <>
        <Moon className={icon} /> Dark
      </>
    ),
  },
] as const

const faces = [
  { value: "serif", label: <span className="font-serif">Newsreader</span> },
  { value: "sans", label: "Hanken Grotesk" },
] as const

export function Appearance() {
  const change = useChangePreferences()
  const { send_on_enter } = usePreferences()
  return (
    <>
      <Setting name="Theme" about="Morning mist, or the blue hour.">
        <Segmented<Theme>
          label="Theme"
          value={useTheme()}
          choices={themes}
          onChange={(theme) => {
            setTheme(theme)
            change.mutate({ theme })
          }}
        />
      </Setting>
      <Setting name="Answers are set in" about="Kept in this browser.">
        <Segmented<Face> label="Typeface" value={useFace()} choices={faces} onChange={setFace} />
      </Setting>
      <Setting
        name="Enter sends"
        about="Otherwise Enter begins a new line, and Ctrl+Enter (⌘+Enter) sends."
      >
        <Toggle
          label="Enter sends"
          on={send_on_enter}
          onChange={(on) => change.mutate({ send_on_enter: on })}
        />
      </Setting>
      <Setting
        name="Single-key shortcuts"
        about="Letters such as E for edit, while no text field is in use. Switch them off if you dictate."
      >
        <Toggle label="Single-key shortcuts" on={useSingleKeys()} onChange={setSingleKeys} />
      </Setting>
    </>
  )
}
