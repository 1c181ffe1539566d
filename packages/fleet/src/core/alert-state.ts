/** What alerts.jsonl says about each (host, symptom). The log is the only memory of what fired. */
import { AlertRow, type Symptom } from '@cis490/shared/alert.ts'
import type { RowVerdict } from './host-row.ts'
import { hourBucket, parseTime } from './time.ts'

export interface AlertState {
  readonly id: string
  readonly host: string
  readonly symptom: Symptom
  /** Epoch milliseconds of the first line of this alert. */
  readonly since: number
  /** Epoch milliseconds of its latest firing line. */
  readonly fired_at: number
  /** False after the resolved line; kept for the hour bucket. */
  readonly open: boolean
}

export function alertKey(host: string, symptom: string): string {
  return `${host} ${symptom}`
}

/** A row of alerts.jsonl, as seen from `at`: later rows are left out, but for those of the same hour, which must not fire twice. Changes the map in place. */
export function foldAlert(states: Map<string, AlertState>, row: Readonly<Record<string, unknown>>, at: number): RowVerdict {
  const parsed = AlertRow.safeParse(row)
  const written = parsed.success ? parseTime(parsed.data.at) : undefined
  const since = parsed.success ? parseTime(parsed.data.since) : undefined
  if (!parsed.success || written === undefined || since === undefined) return 'garbage'
  if (written > at && hourBucket(written) !== hourBucket(at)) return 'ignored'
  const { id, host, symptom, state } = parsed.data
  const key = alertKey(host, symptom)
  const firedAt = state === 'firing' ? written : (states.get(key)?.fired_at ?? since)
  states.set(key, { id, host, symptom, since, fired_at: firedAt, open: state === 'firing' })
  return 'used'
}
