/** How far one wave is with a commit, and what it waits for. Pure. */

/** What a host's last report says of the code that runs there. */
export interface HostWord {
  /** When it came, epoch milliseconds. */
  readonly at: number
  readonly commit?: string | undefined
  readonly outcome?: string | undefined
  /** A commit that was taken there and given up. */
  readonly rolledBackFrom?: string | undefined
}

export interface WaveHost {
  readonly host: string
  readonly wave: number
  readonly commit?: string | undefined
  /** When it was first heard with this commit, epoch milliseconds. */
  readonly since: number
  /** When it was heard last. */
  readonly heardAt: number
  readonly report?: HostWord | undefined
}

/** What stands between a host and "well", the worst first. */
export type Stage = 'unwell' | 'behind' | 'unreported' | 'soaking'

/** An updater may report just before the new daemon is heard. */
const reportLead = 15 * 60_000

/** Time counts while the host is heard: one that fell silent after the update proves nothing. */
export function stageOf(one: WaveHost, head: string, soak: number): Stage | 'well' {
  const { report, since, heardAt } = one
  if (one.commit !== head) return 'behind'
  const told = report?.commit === head && report.at >= since - reportLead ? report.outcome : undefined
  if (told === 'fail') return 'unwell'
  if (told === undefined) return 'unreported'
  return heardAt - since < soak ? 'soaking' : 'well'
}

export interface WaveProgress {
  readonly well: number
  readonly needed: number
  /** What enough of them would have to get over; undefined: nothing. */
  readonly blockedBy?: Stage
}

/** @param of the hosts of one wave, at least one. @param share of them that must be well */
export function progressOf(
  of: readonly WaveHost[],
  { head, share, soak }: { readonly head: string; readonly share: number; readonly soak: number },
): WaveProgress {
  const stages = of.map((one) => stageOf(one, head, soak))
  const needed = Math.max(1, Math.ceil(of.length * share))
  const count = (...which: readonly string[]) => stages.filter((stage) => which.includes(stage)).length
  const well = count('well')
  if (well >= needed) return { well, needed }
  // The least that could still bring enough of them there.
  if (count('well', 'soaking') >= needed) return { well, needed, blockedBy: 'soaking' }
  if (count('well', 'soaking', 'unreported') >= needed) return { well, needed, blockedBy: 'unreported' }
  if (count('well', 'soaking', 'unreported', 'behind') >= needed) return { well, needed, blockedBy: 'behind' }
  return { well, needed, blockedBy: 'unwell' }
}
