/** Two reports of one host side by side: what got worse, what got well, and the values that moved. */
import type { CheckResult, Outcome } from '@cis490/shared/check.ts'
import type { HostReport, OutcomeChange, ReportChanges, ValueChange } from '@cis490/shared/report.ts'

/** The rank of an outcome; what does not apply is as good as well. */
const rank: Record<Outcome, number> = { pass: 0, skip: 0, warn: 1, unknown: 2, fail: 3 }

type Compared = Pick<HostReport, 'generated_at' | 'sequence' | 'results'>

/** @param before an earlier report @param now the present one */
export function reportChanges(before: Compared, now: Compared): ReportChanges {
  const known = new Map(before.results.map((result) => [result.code, result]))
  const worse: OutcomeChange[] = []
  const better: OutcomeChange[] = []
  for (const result of now.results) {
    const was = known.get(result.code)
    known.delete(result.code)
    const change = { code: result.code, before: was?.outcome ?? null, now: result.outcome }
    const step = rank[result.outcome] - rank[was?.outcome ?? 'skip']
    if (step > 0) worse.push(change)
    // What is hidden behind another failure did not get well.
    else if (step < 0 && result.outcome !== 'skip') better.push(change)
  }
  return {
    since: before.generated_at,
    since_sequence: before.sequence,
    worse: worse.toSorted((a, b) => rank[b.now] - rank[a.now]),
    better,
    gone: [...known.keys()],
    moved: movedValues(valuesOf(before.results), valuesOf(now.results)),
  }
}

/** What is worth telling when it moves, by the part of itself that is a move: what an answer took, or how much memory was free, is weather. */
const told: Readonly<Record<string, number>> = {
  ...{ disk_free: 0.02, days_until_full: 0, inodes_free: 0.05 },
  ...{ cert_days: 0, served_cert_days: 0, behind_by: 0 },
  ...{ ready: 0, gated: 0, quarantine: 0 },
}

interface Value {
  readonly value: number
  readonly unit: string
}

/** Performance data of the checks by label. */
function valuesOf(results: readonly CheckResult[]): Map<string, Value> {
  const found = results.flatMap(({ data }) => {
    const text = typeof data['perfdata'] === 'string' ? data['perfdata'] : ''
    return [...text.matchAll(/(?:^|\s)(\w+)=(-?\d+(?:\.\d+)?)([A-Za-z%]*)/g)]
  })
  return new Map(found.map(([, label = '', value, unit = '']) => [label, { value: Number(value), unit }] as const))
}

function movedValues(before: ReadonlyMap<string, Value>, now: ReadonlyMap<string, Value>): ValueChange[] {
  return Object.entries(told).flatMap(([name, least]) => {
    const [was, is] = [before.get(name), now.get(name)]
    if (was === undefined || is === undefined || was.value === is.value) return []
    if (Math.abs(is.value - was.value) < least * Math.abs(was.value)) return []
    return [{ name, before: was.value, now: is.value, unit: is.unit }]
  })
}
