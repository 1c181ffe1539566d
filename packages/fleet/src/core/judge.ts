/** All hosts at one moment: findings of each, how many are active, and which symptoms nobody can decide. */

import type { Accepted } from './accepted.ts'
import { type AlertState, alertKey } from './alert-state.ts'
import type { Heartbeat, Refused } from './facts.ts'
import { type Presence, presentTime } from './outage.ts'
import { fleetHost, type HostFindings } from './roots.ts'
import { type HostFacts, judgeHost, type Moment } from './rules.ts'

/** Everything that was folded; each part comes from one file. */
export interface Facts {
  accepted: Map<string, Accepted>
  refused: Map<string, Refused[]>
  heartbeats: Map<string, Heartbeat>
  presence: Presence
  alerts: Map<string, AlertState>
}

export function emptyFacts(): Facts {
  return {
    accepted: new Map(),
    refused: new Map(),
    heartbeats: new Map(),
    presence: { last: undefined, down: [] },
    alerts: new Map(),
  }
}

export interface Judged {
  readonly hosts: readonly HostFindings[]
  readonly active: number
  readonly present: ReadonlySet<string>
  readonly undecided: ReadonlySet<string>
}

export function judgeFleet(facts: Facts, moment: Moment): Judged {
  const names = [...new Set([...facts.accepted.keys(), ...facts.refused.keys(), ...facts.heartbeats.keys()])].sort()
  const present = new Set<string>()
  const undecided = new Set<string>()
  let active = 0
  const hosts = names.map((host) => {
    const one = factsOf(facts, host)
    const judgements = judgeHost(one, moment)
    if (isActive(one, moment)) active += 1
    for (const judgement of judgements) {
      if (judgement.holds) present.add(alertKey(host, judgement.finding.symptom))
      else if (judgement.reason === 'inactive') undecided.add(alertKey(host, judgement.symptom))
    }
    return { host, findings: judgements.flatMap((judgement) => (judgement.holds ? [judgement.finding] : [])) }
  })
  if (active === 0) undecided.add(alertKey(fleetHost, 'silent'))
  return { hosts, active, present, undecided }
}

function factsOf(facts: Facts, host: string): HostFacts {
  return {
    host,
    accepted: facts.accepted.get(host),
    refused: facts.refused.get(host) ?? [],
    heartbeat: facts.heartbeats.get(host),
  }
}

function isActive({ accepted, refused }: HostFacts, moment: Moment): boolean {
  const { at, presence, active_within } = moment
  if (accepted && presentTime(presence, accepted.last, moment) <= active_within) return true
  return refused.some((one) => at - one.last <= active_within)
}
