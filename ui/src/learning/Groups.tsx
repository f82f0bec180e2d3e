import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { learning } from "@/api/calls"
import type { Learned } from "@/api/types"
import { PointMap } from "./PointMap"
import { OwnSkills } from "./OwnSkills"
import { Sources } from "./Evidence"
import { many, namedBy } from "./words"

interface Props {
  clusters: Learned["clusters"]
  skills: Learned["skills"]
}

/** Below this a map says less than the list beside it. */
const ENOUGH = 6

/** The person's own feedback by meaning: a map, the groups in it, and the skills that came of them. */
export function Groups({ clusters, skills }: Props) {
  const [chosen, setChosen] = useState<string | null>(null)
  const map = useQuery({ queryKey: ["learned", "map"], queryFn: learning.map })
  return (
    <>
      {map.data && map.data.points.length >= ENOUGH && (
        <PointMap
          map={map.data}
          chosen={chosen}
          onChoose={setChosen}
          label="Map of your feedback"
          className="mb-5"
        />
      )}
      {clusters.length > 0 && (
        <ul className="mb-6">
          {clusters.map((cluster) => (
            <li
              key={cluster.id}
              onPointerEnter={() => setChosen(cluster.id)}
              onPointerLeave={() => setChosen(null)}
              className="border-t border-line py-3"
            >
              <p className="flex flex-wrap items-baseline gap-x-3">
                <span className="font-serif text-lg leading-snug">{cluster.label}</span>
                <span className="text-sm text-faint">
                  {many(cluster.size, "piece")} of feedback
                  {cluster.preferences > 0 && `, ${many(cluster.preferences, "wish", "wishes")}`}
                  {`, ${namedBy(cluster.label_source, cluster.words, cluster.label)}`}
                </span>
              </p>
              {cluster.sources.length > 0 && (
                <details className="mt-1 text-sm">
                  <summary className="text-soft hover:text-ink">What is in it</summary>
                  <Sources sources={cluster.sources} />
                </details>
              )}
            </li>
          ))}
        </ul>
      )}
      {skills.length > 0 && <OwnSkills items={skills} />}
    </>
  )
}
