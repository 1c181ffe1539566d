/** One evaluation: read what is new, judge every host, write the lines that are due, remember where we are. */
import type { AlertRow } from '@cis490/shared/alert.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { appendAlerts } from '../alerts/alert-log.ts'
import { announce } from '../alerts/announce.ts'
import type { MonitorConfig } from '../config.ts'
import { type Assessment, assess } from '../core/assess.ts'
import { emptyFacts } from '../core/judge.ts'
import { prune } from '../core/prune.ts'
import { pulledBackTo, rowsUpTo } from '../core/time.ts'
import { loadCheckpoint, saveCheckpoint } from '../facts/checkpoint.ts'
import { readFacts } from '../facts/read.ts'

export interface EvaluateOptions {
  readonly stateDir: string
  readonly monitor: MonitorConfig
  /** Epoch milliseconds of the moment to judge; left out: now. */
  readonly at: number | undefined
  readonly now: () => number
  /** Made for the first alert: most evaluations have none, and loading what logs takes longer than they do. */
  readonly openLog: () => Promise<Logger>
  /** Told of the first read of a big index: how many of `total` bytes are folded. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface Evaluation extends Assessment {
  readonly at: string
  /** The lines that this evaluation wrote. */
  readonly alerts: readonly AlertRow[]
  readonly skipped_lines: number
}

/** The caller holds the fleet's process lock. @throws UnreadableState */
export async function evaluate({
  stateDir,
  monitor,
  at: moment,
  now,
  openLog,
  onProgress,
}: EvaluateOptions): Promise<Evaluation> {
  // A given moment is judged from the files alone: the live checkpoint knows rows that are later.
  const start = moment === undefined ? await loadCheckpoint(stateDir) : { facts: emptyFacts(), cursors: {} }
  const limit = () => (moment === undefined ? pulledBackTo(now()) : rowsUpTo(moment))
  const { facts } = start
  const reading = { limit, at: moment ?? now(), cold: { ...(onProgress && { onProgress }) } }
  const { cursors, skipped } = await readFacts(stateDir, facts, start.cursors, reading)
  // Taken after reading, so that no row that was read is from the future.
  const clock = now()
  const at = moment ?? clock
  const assessment = assess(facts, { at, clock }, monitor)
  const alerts = assessment.decisions.flatMap(({ row }) => row ?? [])
  if (alerts.length > 0) {
    // First, so that no line is written that could then not be told.
    const log = await openLog()
    await appendAlerts(stateDir, alerts)
    for (const row of alerts) announce(log, row)
  }
  if (moment === undefined) {
    prune(facts, at)
    // Our own new lines lie behind the cursor and are read back next time: the log stays the only memory of what fired.
    await saveCheckpoint(stateDir, { facts, cursors })
  }
  return { at: timestamp(at), alerts, skipped_lines: skipped, ...assessment }
}
