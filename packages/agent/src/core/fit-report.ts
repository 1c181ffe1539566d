/** A report that the receiver takes, however much the checks of the site say. */
import { type CheckResult, worstFirst } from '@cis490/shared/check.ts'
import type { HostReport } from '@cis490/shared/report.ts'

/** Bytes; the receiver takes 256 KiB. */
export const mostReportBytes = 250 * 1024

const told = (report: object) => new TextEncoder().encode(JSON.stringify(report)).length
const wellOrSkipped = ({ outcome }: CheckResult) => outcome === 'pass' || outcome === 'skip'

/** What a person has to act on goes last. */
const cuts: readonly ((results: readonly CheckResult[]) => CheckResult[])[] = [
  (results) => results.map((result) => (wellOrSkipped(result) ? { ...result, data: {} } : result)),
  (results) => results.map((result) => ({ ...result, data: {} })),
  (results) => results.filter((result) => !wellOrSkipped(result)).map((result) => ({ ...result, data: {} })),
]

/** @returns the same where it fits; else with less of it, and `cut` says how many results are left out */
export function fitReport(report: HostReport, most = mostReportBytes): HostReport {
  if (told(report) <= most) return report
  const all = report.results.length
  for (const cut of cuts) {
    const results = cut(report.results)
    const fitted = { ...report, cut: all - results.length, results }
    if (told(fitted) <= most) return fitted
  }
  const found = cuts.at(-1)?.(report.results) ?? []
  const kept = worstThatFit(found, most - told({ ...report, cut: all, changes: null, results: [] }))
  return { ...report, cut: all - kept.length, changes: null, results: kept }
}

/** In the order of the report: of each outcome, the worst first, as many as there is room for. */
function worstThatFit(found: readonly CheckResult[], most: number): CheckResult[] {
  const kept = new Set<CheckResult>()
  let room = most
  for (const outcome of worstFirst)
    for (const result of found.filter((one) => one.outcome === outcome)) {
      const size = told(result) + 1
      if (size > room) continue
      room -= size
      kept.add(result)
    }
  return found.filter((result) => kept.has(result))
}
