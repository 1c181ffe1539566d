/** Today's report against yesterday's. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CheckResult, Outcome } from '@cis490/shared/check.ts'
import { HostReport } from '@cis490/shared/report.ts'
import { describe, expect, test } from 'vitest'
import { describeChanges } from '../../../packages/agent/src/commands/report-output.ts'
import { reportChanges } from '../../../packages/agent/src/core/report-changes.ts'
import { keepReport, readEarlierReport } from '../../../packages/agent/src/doctor/kept-reports.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'

function result(code: string, outcome: Outcome, more: { perfdata?: string; remedy?: string } = {}): CheckResult {
  const { perfdata, remedy } = more
  const data = perfdata === undefined ? {} : { perfdata }
  return {
    ...{ code, title: code, outcome, severity: 'critical', text: `${code} text`, data, duration_ms: 1 },
    ...(remedy && { remedy }),
  }
}

function report(day: string, results: CheckResult[], sequence = 1): HostReport {
  const text = { host: 'lab-07', generated_at: `${day}T12:00:00.000Z`, report_epoch: 'e', sequence, results }
  return HostReport.parse({ schema_version: 1, outcome: 'pass', agent_version: '1', commit: null, ...text })
}

describe('outcomes', () => {
  const change = (before: Outcome | null, now: Outcome | null) => {
    const one = (outcome: Outcome | null) => (outcome === null ? [] : [result('x', outcome)])
    const { worse, better, gone } = reportChanges(report('2026-11-21', one(before)), report('2026-11-22', one(now)))
    return worse.length > 0 ? 'worse' : better.length > 0 ? 'better' : gone.length > 0 ? 'gone' : 'same'
  }
  test.each<[Outcome | null, Outcome | null, string]>([
    ['pass', 'warn', 'worse'],
    ['warn', 'fail', 'worse'],
    ['warn', 'unknown', 'worse'],
    ['unknown', 'fail', 'worse'],
    ['fail', 'warn', 'better'],
    ['unknown', 'pass', 'better'],
    ['fail', 'fail', 'same'],
    ['skip', 'pass', 'same'],
    ['pass', 'skip', 'same'],
    ['skip', 'fail', 'worse'],
    // Hidden behind another failure it did not get well.
    ['fail', 'skip', 'same'],
    [null, 'warn', 'worse'],
    [null, 'pass', 'same'],
    ['pass', null, 'gone'],
  ])('%s, then %s: %s', (before, now, expected) => {
    expect(change(before, now)).toBe(expected)
  })
})

test('values that say how long this goes well are told when they move; the weather of the network is not', () => {
  const before = report('2026-11-21', [
    result('disk', 'pass', { perfdata: 'disk_free=1000000B disk_free_percent=50.0%' }),
    result('certificate', 'pass', { perfdata: 'cert_days=9' }),
    result('receiver-connects', 'pass', { perfdata: 'connect=3ms' }),
    result('outbox', 'pass', { perfdata: 'ready=0 ready_bytes=0B' }),
  ])
  const now = (free: number) =>
    report('2026-11-22', [
      result('disk', 'pass', { perfdata: `disk_free=${free}B disk_free_percent=40.0%` }),
      result('certificate', 'pass', { perfdata: 'cert_days=29' }),
      result('receiver-connects', 'pass', { perfdata: 'connect=900ms' }),
      result('outbox', 'pass', { perfdata: 'ready=4 ready_bytes=9B' }),
    ])
  expect(reportChanges(before, now(900_000)).moved).toEqual([
    { name: 'disk_free', before: 1_000_000, now: 900_000, unit: 'B' },
    { name: 'cert_days', before: 9, now: 29, unit: '' },
    { name: 'ready', before: 0, now: 4, unit: '' },
  ])
  expect(reportChanges(before, now(990_000)).moved.map(({ name }) => name)).toEqual(['cert_days', 'ready'])
})

test('a person reads the worst first, each with what mends it, and no control character of others', () => {
  const before = report('2026-11-21', [result('a', 'pass'), result('b', 'fail'), result('c', 'pass'), result('old', 'pass')], 7)
  const results = [
    result('a', 'warn', { remedy: 'mend a' }),
    result('b', 'pass', { perfdata: 'disk_free=1048576B' }),
    result('c', 'fail', { remedy: 'mend\u001b[2J c' }),
  ]
  const now = report('2026-11-22', results, 8)
  expect(describeChanges({ results, changes: reportChanges(before, now) })).toEqual([
    'since 2026-11-21T12:00:00.000Z (number 7): 2 worse, 1 better, 1 gone',
    'worse   c: pass -> fail: c text',
    '        -> mend[2J c',
    'worse   a: pass -> warn: a text',
    '        -> mend a',
    'better  b: fail -> pass: b text',
    'gone    old',
  ])
  expect(describeChanges({ results, changes: reportChanges(now, now) })[0]).toMatch(/: nothing changed$/)
  expect(describeChanges({ results, changes: null })).toEqual(['no report of an earlier day is kept here to compare with'])
})

describe('kept reports', () => {
  const of = (dir: string) => readdirSync(join(dir, 'reports'))

  test('one a day, of two weeks; those of a clock that was ahead go; one that is damaged is passed over', async () => {
    const dir = scratchDir()
    const day = (k: number) => `2026-11-${String(k).padStart(2, '0')}`
    for (let k = 1; k <= 20; k++) for (const n of [1, 2]) await keepReport(dir, report(day(k), [], k * 10 + n))
    expect(of(dir)).toEqual(Array.from({ length: 14 }, (_, k) => `${day(k + 7)}.json`))
    expect((await readEarlierReport(dir, `${day(20)}T01:00:00.000Z`))?.sequence).toBe(192)
    writeFileSync(join(dir, 'reports', `${day(19)}.json`), '{"schema_version":1,"host":')
    expect((await readEarlierReport(dir, `${day(20)}T01:00:00.000Z`))?.sequence).toBe(182)
    await keepReport(dir, report(day(15), [], 300))
    expect(of(dir).at(-1)).toBe(`${day(15)}.json`)
    expect(await readEarlierReport(dir, `${day(7)}T01:00:00.000Z`)).toBeUndefined()
    expect(await readEarlierReport(scratchDir(), `${day(7)}T01:00:00.000Z`)).toBeUndefined()
  })

  testOnTinyDisk('on a full disk the report of the day before stays as it was', async () => {
    const dir = tinyDisk(1)
    await keepReport(dir, report('2026-11-21', [result('x', 'pass')]))
    const kept = readFileSync(join(dir, 'reports/2026-11-21.json'), 'utf8')
    fillUp(dir)
    await expect(keepReport(dir, report('2026-11-22', [result('x', 'fail')]))).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(of(dir)).toEqual(['2026-11-21.json'])
    expect(readFileSync(join(dir, 'reports/2026-11-21.json'), 'utf8')).toBe(kept)
  })
})
