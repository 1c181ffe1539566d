/** When a disk is full, if it goes on as it did. */

export interface DiskSample {
  /** Epoch milliseconds. */
  readonly at: number
  /** Bytes that are free. */
  readonly free: number
}

const day = 86_400_000
const fewest = 3
/** Shorter says more about the last recording than about the trend. */
const shortestMs = day

/** The line that lies closest to the samples (least squares). @returns days from the last one, or undefined where it fills not, or nobody can tell yet */
export function daysUntilFull(samples: readonly DiskSample[]): number | undefined {
  const sorted = samples.toSorted((a, b) => a.at - b.at)
  const [first, last] = [sorted[0], sorted.at(-1)]
  if (!first || !last || sorted.length < fewest || last.at - first.at < shortestMs) return undefined
  const points = sorted.map(({ at, free }) => ({ x: (at - first.at) / day, y: free }))
  const mean = (of: (point: { x: number; y: number }) => number) => points.reduce((sum, one) => sum + of(one), 0) / points.length
  const [mx, my] = [mean(({ x }) => x), mean(({ y }) => y)]
  const variance = mean(({ x }) => (x - mx) ** 2)
  const slope = mean(({ x, y }) => (x - mx) * (y - my)) / variance
  return slope < 0 ? last.free / -slope : undefined
}

/** The samples of the last weeks, and at most so many. A sample from the future is of a clock that was wrong. */
export function keepSamples<T extends { readonly at: number }>(samples: readonly T[], now: number): T[] {
  return samples.filter(({ at }) => at <= now && now - at < 28 * day).slice(-60)
}
