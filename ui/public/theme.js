// Sets the theme before the first paint. A file of its own, because the content security policy
// allows no inline script.
;(() => {
  const chosen = localStorage.getItem("liminal.theme")
  const dark =
    chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches)
  document.documentElement.dataset.theme = dark ? "dark" : "light"
  document.documentElement.dataset.face = localStorage.getItem("liminal.face") ?? "serif"
})()
