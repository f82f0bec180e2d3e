import { createContext, useContext } from "react"

interface Layout {
  sidebarShown: boolean
  toggleSidebar: () => void
}

export const LayoutContext = createContext<Layout>({ sidebarShown: true, toggleSidebar: () => {} })
export const useLayout = () => useContext(LayoutContext)
