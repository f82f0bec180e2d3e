/** The loss of a run while somebody watches it. Pure. */

export interface Sample {
  step: number
  loss: number
}

const KEPT = 200

/** The samples with a newer one; a run that began again begins anew. */
export function remember(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1)
  if (last?.step === next.step) return samples
  if (last && next.step < last.step) return [next]
  return [...samples.slice(-KEPT + 1), next]
}

/** Points of a polyline on a sheet of one by one, the highest loss at the top. */
export function curveOf(samples: readonly Sample[]): string {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || first === last) return ""
  const losses = samples.map(({ loss }) => loss)
  const low = Math.min(...losses)
  const height = Math.max(...losses) - low || 1
  return samples
    .map(({ step, loss }) => {
      const x = (step - first.step) / (last.step - first.step)
      return `${x.toFixed(4)},${(0.95 - 0.9 * ((loss - low) / height)).toFixed(4)}`
    })
    .join(" ")
}
