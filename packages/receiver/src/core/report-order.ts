/** Which of a host's reports is the newer one. Pure. */

export type Report = Readonly<Record<string, unknown>>

/**
 * Reports that came one after the other.
 * @returns the place of the one that is left, unless none is newer; and for each that is ignored the sequence that was there
 */
export function inOrder(before: Report | undefined, reports: readonly Report[]) {
  let known = before
  let last: number | undefined
  const answers = reports.map((report, place) => {
    const newer = staleSequence(known, report)
    if (newer !== undefined) return newer
    known = report
    last = place
    return undefined
  })
  return { last, answers }
}

/** An older report is one of the same epoch with a lower sequence; anything else gets through. */
export function staleSequence(stored: Report | undefined, incoming: Report): number | undefined {
  if (!stored || typeof stored['report_epoch'] !== 'string' || stored['report_epoch'] !== incoming['report_epoch'])
    return undefined
  const [have, got] = [stored['sequence'], incoming['sequence']]
  return Number.isInteger(have) && Number.isInteger(got) && (got as number) < (have as number) ? (have as number) : undefined
}
