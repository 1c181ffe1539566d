/** When the certificate of this host is renewed. Times are epoch milliseconds. */
import { isAhead } from './backoff.ts'

const day = 86_400_000

/** So long after its end a certificate may still ask for its successor. */
export const graceMs = 30 * day

/** Hosts that joined together do not renew together: up to this part of the time earlier. */
const spread = 0.05

/** What is known of the last attempt. */
export interface LastAttempt {
  /** SHA-256 of the certificate that was in place after it, hexadecimal. */
  readonly fingerprint: string
  /** When that certificate was fetched, where it was. */
  readonly fetched_at?: number | undefined
  /** Attempts since then that failed. */
  readonly failures: number
  /** Not before; what the last failure asked for. */
  readonly next_at?: number | undefined
}

export interface RenewalFacts {
  readonly from: number
  readonly to: number
  readonly fingerprint: string
  /** Part of its life after which it is renewed, 0 to 1. */
  readonly renewAt: number
  readonly last?: LastAttempt | undefined
}

export type RenewalPlan =
  | { readonly go: 'renew'; readonly reason: 'due' | 'expired' }
  | { readonly go: 'wait'; readonly reason: 'not-due' | 'backing-off'; readonly until: number }
  /** It can no longer ask for its successor: a new join token is needed. */
  | { readonly go: 'cannot'; readonly reason: 'expired-too-long' }

export function renewalPlan(facts: RenewalFacts, now: number): RenewalPlan {
  const { to, last, fingerprint } = facts
  if (now - to >= graceMs) return { go: 'cannot', reason: 'expired-too-long' }
  const due = dueAt(facts)
  if (now < due) return { go: 'wait', reason: 'not-due', until: due }
  const until = last?.fingerprint === fingerprint && last.failures > 0 ? (last.next_at ?? 0) : 0
  if (isAhead(until, now)) return { go: 'wait', reason: 'backing-off', until }
  return { go: 'renew', reason: now > to ? 'expired' : 'due' }
}

/** The same for every process of this host that asks. */
export function dueAt({ from, to, fingerprint, renewAt, last }: RenewalFacts): number {
  // An authority dates back for clocks that are behind: with a short life that alone would be most of it.
  const fetched = last?.fingerprint === fingerprint ? (last.fetched_at ?? from) : from
  const begin = Math.min(Math.max(from, fetched), to)
  return begin + Math.max(0, to - begin) * renewAt * (1 - spread * fraction(fingerprint))
}

/** @returns 0 to 1, by chance but always the same for one certificate */
function fraction(fingerprint: string): number {
  return Number.parseInt(fingerprint.slice(0, 8), 16) / 2 ** 32 || 0
}
