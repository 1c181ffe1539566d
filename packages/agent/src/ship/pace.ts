/** Bandwidth and manners as shipping sees them: whoever sends a body asks here before each piece of it. */

export interface Pace {
  /** How many bytes to ask for at once, so that no wait is long. */
  readonly piece: number
  /** Waits its turn for these bytes, never longer than 10 s: a body does not stand still longer than that. Returns early when `signal` aborts. */
  take(bytes: number, signal?: AbortSignal): Promise<void>
  /** True: end the part at once and wait outside of the body. */
  mustYield(): boolean
  /** Waits until a body may begin. Returns early when `signal` aborts. */
  whenAllowed(signal: AbortSignal): Promise<void>
}

/** No limit, no window, no pause. */
export const unlimited: Pace = {
  piece: 64 * 1024,
  take: () => Promise.resolve(),
  mustYield: () => false,
  whenAllowed: () => Promise.resolve(),
}
