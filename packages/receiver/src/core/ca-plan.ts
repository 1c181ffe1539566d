/** What is due with the receiver's own CA and server certificate. Time comes in; milliseconds everywhere. */

const day = 86_400_000
const fiveMinutes = 5 * 60_000

export interface AuthorityFacts {
  readonly validFrom: number
  readonly validTo: number
  /** Without its key it vouches for what it signed before, and signs nothing more. */
  readonly hasKey: boolean
}

export interface AuthorityPlan {
  /** Index of the one that signs now; undefined: none can. */
  readonly issuer: number | undefined
  /** `lost-key`: none that is valid can sign. A person decides: hosts have to learn what takes its place. */
  readonly successor: 'not-yet' | 'due' | 'lost-key'
  /** Those that have ended. */
  readonly ended: readonly number[]
}

/** How long before its end an authority gets a successor. */
export function successorLead(lifetime: number): number {
  return Math.min(Math.max(365 * day, 6 * lifetime), 1825 * day)
}

/** How long a successor is only shown: each host that lives renews within this and learns it, those in their grace too. */
export function learningTime(lifetime: number): number {
  return Math.min(2 * lifetime + 30 * day, successorLead(lifetime) / 2)
}

/** @param lifetime of the certificates that hosts get */
export function authorityPlan(all: readonly AuthorityFacts[], now: number, lifetime: number): AuthorityPlan {
  const dated = all.map((facts, at) => ({ ...facts, at }))
  const valid = dated.filter(({ validTo }) => now < validTo)
  const able = valid.filter(({ hasKey }) => hasKey).sort((a, b) => a.validFrom - b.validFrom)
  const begun = able.filter(({ validFrom }) => validFrom <= now)
  const learnt = begun.filter(({ validFrom }) => validFrom + learningTime(lifetime) <= now).at(-1)
  return {
    issuer: (learnt ?? begun[0])?.at,
    successor: successorOf(valid.length, Math.max(...able.map(({ validTo }) => validTo)) - now, lifetime),
    ended: dated.filter((one) => !valid.includes(one)).map(({ at }) => at),
  }
}

/** @param valid how many have not ended @param left ms that the last one with a key has left; -Infinity: there is none */
function successorOf(valid: number, left: number, lifetime: number): AuthorityPlan['successor'] {
  if (valid > 0 && left < 0) return 'lost-key'
  return left < successorLead(lifetime) ? 'due' : 'not-yet'
}

/** A host whose clock is a little behind must not find its fresh certificate "not yet valid". */
export function backdated(now: number, lifetime: number): number {
  return now - Math.min(fiveMinutes, Math.round(lifetime / 60))
}

export interface ServerFacts {
  readonly validFrom: number
  readonly validTo: number
  /** Signed by one of our authorities. */
  readonly ours: boolean
  /** The key file has its key. */
  readonly fits: boolean
  readonly names: readonly string[]
}

/** `not-ours`: somebody put a certificate there; it is never replaced. */
export type ServerPlan = 'missing' | 'not-ours' | 'unfit' | 'other-names' | 'due' | 'fresh'

/** @param names as the server certificate should have them */
export function serverPlan(present: ServerFacts | undefined, names: readonly string[], now: number): ServerPlan {
  if (present === undefined) return 'missing'
  if (!present.ours) return 'not-ours'
  if (!present.fits) return 'unfit'
  if ([...present.names].sort().join() !== [...names].sort().join()) return 'other-names'
  return now < renewalAt(present) ? 'fresh' : 'due'
}

/** Two thirds of the lifetime. */
export function renewalAt({ validFrom, validTo }: { readonly validFrom: number; readonly validTo: number }): number {
  return validFrom + ((validTo - validFrom) * 2) / 3
}
