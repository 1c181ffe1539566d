import { type AlertState, foldAlert } from '@cis490/fleet/core/alert-state.ts'
import { raise } from '@cis490/fleet/core/raise.ts'
import { findRoots, type HostFindings, type Root } from '@cis490/fleet/core/roots.ts'
import type { Finding } from '@cis490/fleet/core/rules.ts'
import type { AlertRow } from '@cis490/shared/alert.ts'
import { describe, expect, test } from 'vitest'

const clock = (text: string) => Date.parse(`2026-11-21T${text}Z`)
const hour = 3_600_000
const finding = (symptom: Finding['symptom'], evidence = {}): Finding => ({
  symptom,
  reason: 'no-heartbeat',
  text: 't',
  evidence,
  remedy: 'r',
})
const findings = (host: string, ...symptoms: Finding['symptom'][]): HostFindings => ({
  host,
  findings: symptoms.map((one) => finding(one)),
})
const root = (host = 'lab-01'): Root => ({ host, severity: 'warning', finding: finding('silent'), inhibits: [] })

/** Evaluates at each time in turn, with the log of the times before. `false`: not true any more. */
function timeline(...steps: [string, boolean | 'hold' | 'inhibited'][]): { reasons: string[]; rows: AlertRow[] } {
  const log: AlertRow[] = []
  const reasons = steps.map(([time, state]) => {
    const at = clock(time)
    const states = new Map<string, AlertState>()
    for (const row of log) foldAlert(states, row, at)
    const key = new Set(['lab-01 silent'])
    const none = new Set<string>()
    const decisions = raise({
      at,
      repeat_interval: hour,
      roots: state === true ? [root()] : [],
      present: state === true || state === 'inhibited' ? key : none,
      undecided: state === 'hold' ? key : none,
      states,
    })
    log.push(...decisions.flatMap(({ row }) => row ?? []))
    return decisions.map(({ reason }) => reason).join() || 'nothing'
  })
  return { reasons, rows: log }
}

describe('a sustained fault', () => {
  test('fires once in an hour bucket, though it is looked at every five minutes', () => {
    const { reasons } = timeline(['09:00:00', true], ['09:05:00', true], ['09:55:00', true])
    expect(reasons).toEqual(['first', 'same-bucket', 'same-bucket'])
  })

  test('fires at 09:58 and not again at 10:00, but at 10:58', () => {
    const { reasons, rows } = timeline(
      ['09:58:00', true],
      ['10:00:00', true],
      ['10:57:59', true],
      ['10:58:00', true],
      ['10:59:00', true],
    )
    expect(reasons).toEqual(['first', 'too-soon', 'too-soon', 'repeat', 'same-bucket'])
    expect(rows.map((row) => [row.hour_bucket, row.since])).toEqual([
      ['2026-11-21T09Z', '2026-11-21T09:58:00.000Z'],
      ['2026-11-21T10Z', '2026-11-21T09:58:00.000Z'],
    ])
    expect(new Set(rows.map((row) => row.id)).size).toBe(1)
  })
})

test('a fault that is over gets one resolved line with its duration', () => {
  const { reasons, rows } = timeline(['09:58:00', true], ['10:58:00', true], ['11:13:30', false], ['11:20:00', false])
  expect(reasons).toEqual(['first', 'repeat', 'resolved', 'nothing'])
  expect(rows.at(-1)).toMatchObject({ state: 'resolved', duration_s: 4530, since: '2026-11-21T09:58:00.000Z', id: rows[0]?.id })
})

test('a fault that returns within the hour keeps quiet until the next bucket, then it is a new alert', () => {
  const { reasons, rows } = timeline(['09:10:00', true], ['09:20:00', false], ['09:30:00', true], ['10:00:00', true])
  expect(reasons).toEqual(['first', 'resolved', 'same-bucket', 'first'])
  expect(rows.at(-1)?.id).not.toBe(rows[0]?.id)
})

test('a clock that steps back does not fire twice in one bucket', () => {
  expect(timeline(['09:30:00', true], ['09:10:00', true]).reasons).toEqual(['first', 'same-bucket'])
})

test('an alert that is inhibited, or that nobody can decide, is neither repeated nor resolved', () => {
  expect(timeline(['09:00:00', true], ['10:30:00', 'inhibited'], ['11:30:00', 'hold'], ['12:30:00', true]).reasons).toEqual([
    'first',
    'inhibited',
    'hold',
    'repeat',
  ])
})

describe('roots', () => {
  test('the more specific symptom wins, and its line lists the rest', () => {
    expect(findRoots([findings('lab-01', 'unstamped', 'fatal-only', 'silent'), findings('lab-02')], 2)).toMatchObject([
      { host: 'lab-01', finding: { symptom: 'unstamped' }, inhibits: ['fatal-only', 'silent'], severity: 'warning' },
    ])
  })

  const silent = ['lab-01', 'lab-02', 'lab-03'].map((host) => findings(host, 'silent'))

  test.each<[string, HostFindings[], number, string[]]>([
    ['two of two are not yet the fleet', silent.slice(0, 2), 2, ['lab-01 silent', 'lab-02 silent']],
    ['three of six are', silent, 6, ['* silent']],
    ['three of seven are not', silent, 7, ['lab-01 silent', 'lab-02 silent', 'lab-03 silent']],
    ['another symptom keeps its line', [...silent, findings('lab-04', 'fatal-only')], 4, ['* silent', 'lab-04 fatal-only']],
  ])('%s', (_sentence, hosts, active, expected) => {
    expect(findRoots(hosts, active).map((one) => `${one.host} ${one.finding.symptom}`)).toEqual(expected)
  })

  test('the alert of the fleet names the hosts and the likely cause', () => {
    const hosts = ['a', 'b', 'c'].map((host) => ({ host, findings: [finding('fatal-only', { code: 'certificate-untrusted' })] }))
    const [fleet] = findRoots(hosts, 4)
    expect(fleet?.finding.evidence).toMatchObject({ hosts: ['a', 'b', 'c'], active: 4, cause: 'certificates' })
    expect(fleet?.finding.text).toContain('3 of 4 active hosts')
  })
})
