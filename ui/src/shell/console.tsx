/** The places of the console, as the menu and the palette name them. */
import { Layers, ScrollText, Shapes, SlidersHorizontal, Sprout } from "lucide-react"
import type { ReactNode } from "react"

interface Place {
  id: string
  label: string
  path: string
  icon: ReactNode
}

export const consoleMenu: readonly Place[] = [
  { id: "learning", label: "Learning", path: "/admin/learning", icon: <Sprout /> },
  { id: "skills", label: "Skills", path: "/admin/skills", icon: <Shapes /> },
  { id: "policies", label: "Policies", path: "/admin/policies", icon: <SlidersHorizontal /> },
  { id: "projections", label: "Projections", path: "/admin/projections", icon: <Layers /> },
  { id: "log", label: "Log", path: "/admin/log", icon: <ScrollText /> },
]
