/** How often something may be tried: so many times in a window of time, for each key (an address, a host). Time comes in. */

export interface AttemptLimits {
  readonly most: number
  /** ms */
  readonly windowMs: number
  /** Keys that are remembered; beyond it the oldest is forgotten. */
  readonly mostKeys?: number
}

export class Attempts {
  readonly #limits: AttemptLimits
  readonly #counts = new Map<string, { since: number; count: number }>()

  constructor(limits: AttemptLimits) {
    this.#limits = limits
  }

  /** @returns ms until the next attempt is heard; 0: now */
  wait(key: string, now: number): number {
    const { most, windowMs } = this.#limits
    const seen = this.#counts.get(key)
    if (!seen || seen.count < most) return 0
    return Math.max(0, seen.since + windowMs - now)
  }

  note(key: string, now: number): void {
    const seen = this.#counts.get(key)
    if (seen && now < seen.since + this.#limits.windowMs) {
      seen.count += 1
      return
    }
    this.#counts.delete(key)
    this.#counts.set(key, { since: now, count: 1 })
    const oldest = this.#counts.keys().next().value
    if (this.#counts.size > (this.#limits.mostKeys ?? 4096) && oldest !== undefined) this.#counts.delete(oldest)
  }
}
