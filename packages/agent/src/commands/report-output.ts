/** What changed from one report to the next, for a person. */
import type { CheckResult } from '@cis490/shared/check.ts'
import { counted } from '@cis490/shared/counted.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { HostReport, OutcomeChange, ReportChanges, ValueChange } from '@cis490/shared/report.ts'
import { formatSize } from '@cis490/shared/size.ts'

/** Lines; the first one says with what it was compared. */
export function describeChanges({ changes, results }: Pick<HostReport, 'changes' | 'results'>): string[] {
  if (!changes) return ['no report of an earlier day is kept here to compare with']
  const { since, since_sequence, worse, better, gone, moved } = changes
  const byCode = new Map(results.map((result) => [result.code, result]))
  const lines = [
    ...worse.flatMap((change) => changeLines('worse', change, byCode.get(change.code))),
    ...better.flatMap((change) => changeLines('better', change, byCode.get(change.code))),
    ...gone.map((code) => printable(`gone    ${code}`)),
    ...moved.map((value) => `moved   ${value.name}: ${amount(value.before, value)} -> ${amount(value.now, value)}`),
  ]
  return [`since ${printable(since)} (number ${since_sequence}): ${sumUpChanges(changes)}`, ...lines]
}

function changeLines(word: string, { code, before, now }: OutcomeChange, result: CheckResult | undefined): string[] {
  const cure = result?.remedy === undefined ? [] : [printable(`        -> ${result.remedy}`)]
  return [printable(`${word.padEnd(8)}${code}: ${before ?? 'new'} -> ${now}: ${result?.text ?? ''}`), ...cure]
}

function sumUpChanges({ worse, better, gone, moved }: ReportChanges): string {
  const parts = [
    ...(worse.length > 0 ? [`${worse.length} worse`] : []),
    ...(better.length > 0 ? [`${better.length} better`] : []),
    ...(gone.length > 0 ? [`${gone.length} gone`] : []),
    ...(moved.length > 0 ? [`${counted(moved.length, 'value')} moved`] : []),
  ]
  return parts.length === 0 ? 'nothing changed' : parts.join(', ')
}

function amount(value: number, { unit }: ValueChange): string {
  return unit === 'B' ? formatSize(value) : `${value}${unit}`
}
