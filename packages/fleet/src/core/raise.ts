/** From what is wrong now and what was said before to the lines that are to be written, each with its reason. */
import type { AlertRow, Symptom } from '@cis490/shared/alert.ts'
import { formatDuration } from '@cis490/shared/duration.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { type AlertState, alertKey } from './alert-state.ts'
import { fleetHost, type Root } from './roots.ts'
import { hourBucket } from './time.ts'

export type RaiseReason =
  | 'first' // a new alert
  | 'repeat' // still firing, and the repeat interval is over
  | 'resolved' // it fired, and what it was about is over
  | 'same-bucket' // fired in this hour already
  | 'too-soon' // fired less than the repeat interval ago
  | 'inhibited' // true, but a more specific or a wider alert tells it
  | 'hold' // neither true nor over: a host that is quiet for so long that it no longer counts as active

export interface Decision {
  readonly host: string
  readonly symptom: Symptom
  readonly reason: RaiseReason
  /** The line to write; undefined: none. */
  readonly row: AlertRow | undefined
}

export interface Raise {
  readonly at: number
  /** Milliseconds between two lines of one alert. */
  readonly repeat_interval: number
  readonly roots: readonly Root[]
  /** Keys of all symptoms that are true, roots or not. */
  readonly present: ReadonlySet<string>
  /** Keys of which nobody can say that they are over. */
  readonly undecided: ReadonlySet<string>
  readonly states: ReadonlyMap<string, AlertState>
}

export function raise(input: Raise): Decision[] {
  const roots = new Set(input.roots.map((root) => alertKey(root.host, root.finding.symptom)))
  const ended = [...input.states].filter(([key, state]) => state.open && !roots.has(key))
  return [...input.roots.map((root) => fire(root, input)), ...ended.map(([key, state]) => settle(key, state, input))]
}

function fire(root: Root, { at, repeat_interval, states }: Raise): Decision {
  const { host, finding } = root
  const { symptom } = finding
  const state = states.get(alertKey(host, symptom))
  const quiet = (reason: RaiseReason): Decision => ({ host, symptom, reason, row: undefined })
  if (state && hourBucket(state.fired_at) === hourBucket(at)) return quiet('same-bucket')
  if (state?.open && at - state.fired_at < repeat_interval) return quiet('too-soon')
  const ongoing = state?.open ? state : undefined
  const since = ongoing?.since ?? at
  const row: AlertRow = {
    at: timestamp(at),
    id: ongoing?.id ?? alertId(host, symptom, since),
    host,
    symptom,
    state: 'firing',
    severity: root.severity,
    hour_bucket: hourBucket(at),
    since: timestamp(since),
    text: finding.text,
    evidence: { reason: finding.reason, ...finding.evidence },
    remedy: finding.remedy,
    inhibits: [...root.inhibits],
  }
  return { host, symptom, reason: ongoing ? 'repeat' : 'first', row }
}

function settle(key: string, state: AlertState, { at, present, undecided }: Raise): Decision {
  const { id, host, symptom, since } = state
  if (present.has(key)) return { host, symptom, reason: 'inhibited', row: undefined }
  if (undecided.has(key)) return { host, symptom, reason: 'hold', row: undefined }
  const duration = Math.max(0, at - since)
  const who = host === fleetHost ? 'the fleet' : host
  const row: AlertRow = {
    at: timestamp(at),
    id,
    host,
    symptom,
    state: 'resolved',
    severity: host === fleetHost ? 'critical' : 'warning',
    hour_bucket: hourBucket(at),
    since: timestamp(since),
    text: `${who} is no longer ${symptom}, after ${formatDuration(duration)}`,
    evidence: {},
    remedy: '',
    inhibits: [],
    duration_s: Math.round(duration / 1000),
  }
  return { host, symptom, reason: 'resolved', row }
}

/** The same for all lines of one alert; safe in a path. */
function alertId(host: string, symptom: Symptom, since: number): string {
  return `${host === fleetHost ? 'fleet' : host}.${symptom}.${timestamp(since).replaceAll(/[-:.]/g, '')}`
}
