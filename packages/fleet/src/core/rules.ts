/** The symptoms of one host: each a pure rule that says whether it holds and why. The most specific comes first. */
import type { Symptom } from '@cis490/shared/alert.ts'
import { formatDuration } from '@cis490/shared/duration.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import type { Accepted } from './accepted.ts'
import type { Heartbeat, Refused } from './facts.ts'
import { type Presence, presentTime, type Standpoint } from './outage.ts'
import { gateRemedy, refusedRemedy, silentRemedy } from './remedy.ts'

/** Refusals and unstamped rows are judged over this time, in milliseconds. */
const refusalWindow = 30 * 60_000

export interface HostFacts {
  readonly host: string
  readonly accepted: Accepted | undefined
  readonly refused: readonly Refused[]
  readonly heartbeat: Heartbeat | undefined
}

export interface Moment extends Standpoint {
  readonly presence: Presence
  /** Milliseconds. */
  readonly silent_after: number
  readonly active_within: number
}

export type HoldsReason = 'row-without-commit' | 'commit-missing' | 'every-put-refused' | 'no-heartbeat' | 'has-something-to-ship'
export type HoldsNotReason =
  | 'stamped'
  | 'no-refusal'
  | 'something-was-accepted'
  | 'a-refusal-will-pass' // 5xx, 408, 429 or an upload that is in progress: the agent's retry mends it
  | 'never-shipped'
  | 'shipping'
  | 'inactive' // quiet for so long that it no longer counts as a shipping host: neither a fault nor a recovery
  | 'nothing-to-ship'

export interface Finding {
  readonly symptom: Symptom
  readonly reason: HoldsReason
  readonly text: string
  readonly evidence: Readonly<Record<string, unknown>>
  readonly remedy: string
}

export type Judgement =
  | { readonly holds: true; readonly finding: Finding }
  | { readonly holds: false; readonly symptom: Symptom; readonly reason: HoldsNotReason }

/** One rule a symptom, most specific first: where several hold, the first is the root and inhibits the rest. */
const rules: readonly ((facts: HostFacts, moment: Moment) => Judgement)[] = [unstamped, fatalOnly, silent]

export function judgeHost(facts: HostFacts, moment: Moment): Judgement[] {
  return rules.map((rule) => rule(facts, moment))
}

function unstamped({ host, accepted, refused }: HostFacts, { at }: Moment): Judgement {
  const since = at - refusalWindow
  const row = accepted?.unstamped ?? Number.NEGATIVE_INFINITY
  const refusal = refused.find((one) => one.code === 'commit-missing' && one.last >= since)
  if (row < since && !refusal) return { holds: false, symptom: 'unstamped', reason: 'stamped' }
  const last = Math.max(row, refusal?.last ?? row)
  return holds({
    symptom: 'unstamped',
    reason: refusal ? 'commit-missing' : 'row-without-commit',
    text: `${host} ships episodes without a commit stamp, so nobody can say which code made them: its code is older than the stamp; update it`,
    evidence: { last_unstamped_at: timestamp(last), refused: refusal !== undefined },
    remedy: gateRemedy(host),
  })
}

function fatalOnly({ host, accepted, refused }: HostFacts, { at }: Moment): Judgement {
  const since = at - refusalWindow
  const not = (reason: HoldsNotReason): Judgement => ({ holds: false, symptom: 'fatal-only', reason })
  const recent = refused.filter((one) => one.last >= since).sort((a, b) => b.last - a.last)
  const latest = recent[0]
  if (!latest) return not('no-refusal')
  if (accepted && accepted.last >= since) return not('something-was-accepted')
  if (!recent.every(isFatal)) return not('a-refusal-will-pass')
  return holds({
    symptom: 'fatal-only',
    reason: 'every-put-refused',
    text: `every upload of ${host} in the last ${formatDuration(refusalWindow)} was refused, the latest with ${latest.status} ${latest.code}: ${meaning(latest.code)}`,
    evidence: {
      code: latest.code,
      status: latest.status,
      codes: recent.map((one) => one.code),
      last_refused_at: timestamp(latest.last),
      ...(latest.commit ? { commit: latest.commit } : {}),
      ...lastReceived(accepted),
    },
    remedy: refusedRemedy(latest.code, host),
  })
}

/** A refusal that the same upload will meet again. */
function isFatal({ status, code }: Refused): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429 && !(status === 409 && code === 'upload-in-progress')
}

function meaning(code: string): string {
  if (code.startsWith('commit-')) return 'it runs code that the receiver does not take; update it'
  if (code.startsWith('certificate-')) return 'its certificate is not good; fetch a new one'
  if (code === 'wrong-host') return 'its certificate names another host'
  if (code === 'unauthorized') return 'its bearer token is missing or wrong'
  if (code === 'host-missing') return 'nothing in its requests names the host'
  return 'a person must look at its outbox'
}

function silent({ host, accepted, heartbeat }: HostFacts, moment: Moment): Judgement {
  const { at, presence, silent_after, active_within } = moment
  const not = (reason: HoldsNotReason): Judgement => ({ holds: false, symptom: 'silent', reason })
  if (!accepted) return not('never-shipped')
  const quiet = presentTime(presence, accepted.last, moment)
  if (quiet <= silent_after) return not('shipping')
  if (quiet > active_within) return not('inactive')
  const beats = heartbeat !== undefined && presentTime(presence, heartbeat.at, moment) <= silent_after
  if (beats && heartbeat.waiting === 0) return not('nothing-to-ship')
  const state = beats ? `although ${heartbeat.waiting} episodes wait there` : 'and it sends no heartbeat'
  return holds({
    symptom: 'silent',
    reason: beats ? 'has-something-to-ship' : 'no-heartbeat',
    text: `${host} has delivered nothing for ${formatDuration(quiet)} ${state}: its agent, its network or the machine is down`,
    evidence: {
      ...lastReceived(accepted),
      quiet_s: Math.round(quiet / 1000),
      receiver_down_s: Math.round((at - accepted.last - quiet) / 1000),
      ...(heartbeat ? { last_heartbeat_at: timestamp(heartbeat.at), waiting: heartbeat.waiting } : {}),
    },
    remedy: silentRemedy(host),
  })
}

function lastReceived(accepted: Accepted | undefined): { last_received_at?: string } {
  return accepted ? { last_received_at: timestamp(accepted.last) } : {}
}

function holds(finding: Finding): Judgement {
  return { holds: true, finding }
}
