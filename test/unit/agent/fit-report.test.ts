import type { CheckResult, Outcome } from '@cis490/shared/check.ts'
import { HostReport } from '@cis490/shared/report.ts'
import { expect, test } from 'vitest'
import { fitReport } from '../../../packages/agent/src/core/fit-report.ts'
import { maxReportBytes } from '../../../packages/receiver/src/routes/host-health.ts'

const loud = (count: number, outcome: Outcome, bytes: number): CheckResult[] =>
  Array.from({ length: count }, (_, k) => ({
    ...{ code: `site/${outcome}-${k}`, title: 'loud', outcome, severity: 'critical', text: 'x'.repeat(500), duration_ms: 1 },
    data: { perfdata: 'ü'.repeat(bytes / 2) },
    ...(outcome === 'fail' && { remedy: 'sudo true' }),
  }))

function reportOf(...results: CheckResult[][]): HostReport {
  const about = { host: 'lab-07', generated_at: '2026-11-22T12:00:00.000Z', report_epoch: 'e', sequence: 1, outcome: 'fail' }
  return HostReport.parse({ schema_version: 1, ...about, agent_version: '1', commit: null, results: results.flat() })
}

const bytesOf = (report: HostReport) => Buffer.byteLength(JSON.stringify(report))
const codes = (report: HostReport) => report.results.map(({ code }) => code)

test('a report that fits is sent as it is', () => {
  const report = reportOf(loud(3, 'pass', 100), loud(1, 'fail', 100))
  expect(fitReport(report)).toBe(report)
})

test.each([
  ['of well ones the data goes first', reportOf(loud(100, 'pass', 10_000), loud(2, 'fail', 100)), 0, true],
  ['then that of all', reportOf(loud(10, 'pass', 100), loud(100, 'fail', 10_000)), 0, false],
  ['then the well ones themselves', reportOf(loud(1000, 'pass', 10), loud(2, 'fail', 100)), 1000, false],
])('a report of many checks of the site was more than the receiver takes: %s', (_, report, cut, data) => {
  const fitted = fitReport(report)
  expect(bytesOf(report)).toBeGreaterThan(maxReportBytes)
  expect(bytesOf(fitted)).toBeLessThanOrEqual(maxReportBytes)
  expect(fitted.cut).toBe(cut)
  const failed = fitted.results.filter(({ outcome }) => outcome === 'fail')
  expect(failed).toHaveLength(report.results.filter(({ outcome }) => outcome === 'fail').length)
  expect(failed.every((result) => 'perfdata' in result.data === data && result.remedy === 'sudo true')).toBe(true)
  expect(HostReport.parse(fitted)).toEqual(fitted)
})

test('of more failures than fit the first ones stay, and it is said how many do not', () => {
  const report = reportOf(loud(2000, 'fail', 100))
  const fitted = fitReport(report)
  expect(bytesOf(fitted)).toBeLessThanOrEqual(maxReportBytes)
  expect(codes(fitted)).toEqual(codes(report).slice(0, fitted.results.length))
  expect([fitted.results.length > 300, fitted.cut]).toEqual([true, 2000 - fitted.results.length])
})

test('a failure behind many warnings, or behind one that is too large by itself, was left out', () => {
  const huge = loud(1, 'fail', 100).map((result) => ({ ...result, code: 'site/huge', remedy: 'x'.repeat(300 * 1024) }))
  const fitted = fitReport(reportOf(huge, loud(2000, 'warn', 100), loud(2, 'fail', 100)))
  expect(bytesOf(fitted)).toBeLessThanOrEqual(maxReportBytes)
  expect(codes(fitted).slice(-2)).toEqual(['site/fail-0', 'site/fail-1'])
  expect([fitted.results.length > 300, fitted.cut]).toEqual([true, 2003 - fitted.results.length])
})
