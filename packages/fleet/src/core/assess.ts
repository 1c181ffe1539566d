/** From the facts to the decisions, and to what a person or a script is shown of them. */
import type { Symptom } from '@cis490/shared/alert.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { alertKey } from './alert-state.ts'
import { type Facts, judgeFleet } from './judge.ts'
import { awaySince, type Standpoint } from './outage.ts'
import { type Decision, type RaiseReason, raise } from './raise.ts'
import { findRoots } from './roots.ts'

export interface Limits {
  /** Milliseconds. */
  readonly silent_after: number
  readonly active_within: number
  readonly repeat_interval: number
}

export interface HostLine {
  readonly host: string
  readonly last_received_at: string | null
  /** Most specific first. */
  readonly symptoms: readonly Symptom[]
}

export interface SymptomLine {
  readonly host: string
  readonly symptom: Symptom
  /** What was decided about its line. */
  readonly decision: RaiseReason
  readonly since: string | null
  readonly severity: 'warning' | 'critical'
  readonly text: string
  readonly remedy: string
  readonly inhibits: readonly Symptom[]
}

export interface Assessment {
  readonly hosts: readonly HostLine[]
  readonly symptoms: readonly SymptomLine[]
  readonly decisions: readonly Decision[]
  /** Since when the receiver is away; null: it is there. */
  readonly receiver_away_since: string | null
}

export function assess(facts: Facts, standpoint: Standpoint, limits: Limits): Assessment {
  const { at } = standpoint
  const judged = judgeFleet(facts, { ...standpoint, presence: facts.presence, ...limits })
  const roots = findRoots(judged.hosts, judged.active)
  const decisions = raise({ at, repeat_interval: limits.repeat_interval, roots, ...judged, states: facts.alerts })
  const away = awaySince(facts.presence, standpoint)
  return {
    hosts: judged.hosts.map(({ host, findings }) => ({
      host,
      last_received_at: timeOrNull(facts.accepted.get(host)?.last),
      symptoms: findings.map((finding) => finding.symptom),
    })),
    symptoms: roots.map(({ host, severity, finding, inhibits }, k) => {
      // raise() decides the roots first, in their order.
      const { reason, row } = decisions[k] as Decision
      const { symptom, text, remedy } = finding
      const since = row?.since ?? timeOrNull(facts.alerts.get(alertKey(host, symptom))?.since)
      return { host, symptom, decision: reason, since, severity, text, remedy, inhibits }
    }),
    decisions,
    receiver_away_since: timeOrNull(away),
  }
}

function timeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : timestamp(ms)
}
