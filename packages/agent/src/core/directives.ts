/** What the receiver asked of this host in its last answer to a heartbeat, and for how long it counts. Pure. */
import type { Directives } from '@cis490/shared/heartbeat.ts'
import { minute } from './backoff.ts'

/** Slower bodies would be cut by the receiver. Bytes a second. */
const leastRate = 4096

export interface Told {
  readonly directives: Directives
  /** When; milliseconds of the clock that is asked later. */
  readonly at: number
}

export interface InForce {
  readonly pause: boolean
  /** Bytes a second; 0: no limit. */
  readonly rate: number
  /** To be sent first, in this order. */
  readonly want: readonly string[]
}

export const nothingAsked: InForce = { pause: false, rate: 0, want: [] }

/** A receiver that is not heard of any more holds nobody back. @param everyMs between two heartbeats */
export function lapseMs(everyMs: number): number {
  return Math.max(10 * minute, 3 * everyMs)
}

export function inForce(told: Told | undefined, now: number, everyMs: number): InForce {
  if (!told || now - told.at > lapseMs(everyMs) || now < told.at) return nothingAsked
  const { pause, rate, want } = told.directives
  return { pause: pause === true, rate: rate === undefined ? 0 : Math.max(rate, leastRate), want: want ?? [] }
}

/** The lower of two limits, of which 0 is none. */
export function lowerRate(own: number, asked: number): number {
  return own === 0 || asked === 0 ? Math.max(own, asked) : Math.min(own, asked)
}

/** Hosts do not speak in step. @param random in [0, 1). @returns milliseconds */
export function nextBeatMs(everyMs: number, random: number): number {
  return Math.round(everyMs * (0.9 + 0.2 * random))
}
