/** Uploads that arrive at random, share the processors, and wait for the next sync: how long, at which load? Pure; the seed decides. */
import { percentile } from '../frame/median.ts'

export interface Station {
  readonly cores: number
  /** CPU seconds of an upload of so many bytes. */
  work(bytes: number): number
  /** One sync serves all that wait when it begins. */
  readonly sync_s: number
}

export interface Traffic {
  /** Share of all processors that the uploads need, 0 to 1. */
  readonly load: number
  readonly uploads: number
  /** Logarithmic normal: half of the episodes are smaller than the median. */
  readonly median_bytes: number
  readonly spread: number
  readonly most_bytes: number
}

export interface Delays {
  readonly load: number
  readonly uploads_per_s: number
  /** Seconds beyond what the upload alone would have taken. */
  readonly p50_s: number
  readonly p99_s: number
  readonly mean_s: number
}

interface Upload {
  readonly arrives: number
  readonly work: number
}

export function simulate(station: Station, traffic: Traffic, random: () => number): Delays {
  const works = Array.from({ length: traffic.uploads }, () => station.work(sizeOf(traffic, random)))
  const mean = works.reduce((sum, work) => sum + work, 0) / works.length
  const uploads_per_s = (traffic.load * station.cores) / mean
  let at = 0
  const uploads = works.map((work): Upload => {
    at -= Math.log(1 - random()) / uploads_per_s
    return { arrives: at, work }
  })
  const served = groupCommit(shareProcessors(uploads, station.cores), station.sync_s)
  const delays = served.map((end, k) => {
    const { arrives, work } = uploads[k] as Upload
    return Math.max(0, end - arrives - work - station.sync_s)
  })
  return {
    load: traffic.load,
    uploads_per_s,
    p50_s: percentile(delays, 0.5),
    p99_s: percentile(delays, 0.99),
    mean_s: delays.reduce((sum, delay) => sum + delay, 0) / delays.length,
  }
}

function sizeOf({ median_bytes, spread, most_bytes }: Traffic, random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return Math.min(most_bytes, median_bytes * Math.exp(spread * normal))
}

/**
 * Everybody gets the same share, and none more than one processor. The clock of the work done by each runs slower the more there are:
 * whoever needs the least more of it is the next to end.
 * @returns when each upload has had its work, in the order of the uploads
 */
export function shareProcessors(uploads: readonly Upload[], cores: number): number[] {
  const ends = uploads.map(() => 0)
  const waiting = new Heap()
  let [now, done, next] = [0, 0, 0]
  while (next < uploads.length || waiting.size > 0) {
    const rate = Math.min(1, cores / Math.max(1, waiting.size))
    const ending = waiting.size > 0 ? now + (waiting.least - done) / rate : Number.POSITIVE_INFINITY
    const arriving = uploads[next]?.arrives ?? Number.POSITIVE_INFINITY
    const then = Math.min(ending, arriving)
    if (waiting.size > 0) done += (then - now) * rate
    now = then
    if (arriving <= ending) {
      waiting.add(done + (uploads[next] as Upload).work, next)
      next += 1
    } else ends[waiting.take()] = now
  }
  return ends
}

/** One sync after the other; each serves all that came before it began. @returns when each is durable */
export function groupCommit(ready: readonly number[], sync_s: number): number[] {
  const order = ready.map((_, k) => k).toSorted((a, b) => (ready[a] as number) - (ready[b] as number))
  const durable = ready.map(() => 0)
  let free = 0
  for (let k = 0; k < order.length; ) {
    const begins = Math.max(free, ready[order[k] as number] as number)
    free = begins + sync_s
    for (; k < order.length && (ready[order[k] as number] as number) <= begins; k++) durable[order[k] as number] = free
  }
  return durable
}

/** The smallest first. */
class Heap {
  readonly #items: { readonly key: number; readonly index: number }[] = []

  get size(): number {
    return this.#items.length
  }

  get least(): number {
    return this.#items[0]?.key ?? Number.POSITIVE_INFINITY
  }

  add(key: number, index: number): void {
    const items = this.#items
    let at = items.push({ key, index }) - 1
    for (let up = (at - 1) >> 1; at > 0 && (items[up]?.key ?? 0) > key; up = (at - 1) >> 1) {
      this.#swap(at, up)
      at = up
    }
  }

  /** @returns the index that was added with the least key. @throws Error when there is none */
  take(): number {
    const items = this.#items
    const [first] = items
    const last = items.pop()
    if (!first || !last) throw new Error('an empty heap has nothing to take')
    if (items.length === 0) return first.index
    items[0] = last
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      const right = left + 1
      const key = (k: number) => items[k]?.key ?? Number.POSITIVE_INFINITY
      const down = key(right) < key(left) ? right : left
      if (key(down) >= key(at)) return first.index
      this.#swap(at, down)
      at = down
    }
  }

  #swap(a: number, b: number): void {
    const items = this.#items as { key: number; index: number }[]
    const kept = items[a] as { key: number; index: number }
    items[a] = items[b] as { key: number; index: number }
    items[b] = kept
  }
}
