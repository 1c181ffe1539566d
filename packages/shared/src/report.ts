import { z } from 'zod'
import { CheckResult, Outcome } from './check.ts'
import { HostName } from './ids.ts'

const OutcomeChange = z.object({
  code: z.string(),
  /** null: the earlier report had no such check. */
  before: Outcome.nullable(),
  now: Outcome,
})
export type OutcomeChange = z.infer<typeof OutcomeChange>

const ValueChange = z.object({ name: z.string(), before: z.number(), now: z.number(), unit: z.string() })
export type ValueChange = z.infer<typeof ValueChange>

/** What is different from the report of an earlier day. */
export const ReportChanges = z.object({
  /** `generated_at` and `sequence` of that report. */
  since: z.string(),
  since_sequence: z.int().nonnegative(),
  /** The worst first. */
  worse: z.array(OutcomeChange),
  better: z.array(OutcomeChange),
  /** Codes of checks that are there no more. */
  gone: z.array(z.string()),
  moved: z.array(ValueChange),
})
export type ReportChanges = z.infer<typeof ReportChanges>

/** What the updater of a host did last. Commits are empty where it did not get as far as to know them. */
export const LastUpdate = z.object({
  at: z.iso.datetime(),
  from: z.string().max(64),
  to: z.string().max(64),
  outcome: z.enum(['updated', 'current', 'held', 'refused', 'rolled-back', 'failed']),
  reason: z.string().max(1000),
  /** Of a row of failed runs: when the first of them was. */
  failing_since: z.iso.datetime().optional(),
})
export type LastUpdate = z.infer<typeof LastUpdate>

/** One host's doctor report, as our agent writes it. The receiver stores other shapes too. */
export const HostReport = z.looseObject({
  schema_version: z.literal(1),
  host: HostName,
  generated_at: z.string(),
  report_epoch: z.string(),
  sequence: z.int().nonnegative(),
  outcome: Outcome,
  agent_version: z.string(),
  commit: z.string().nullable(),
  /** Of `[update]`; older agents have none. */
  wave: z.int().nonnegative().optional(),
  /** Left out where the updater has not run. */
  update: LastUpdate.optional().catch(undefined),
  /** Of a report that would be too large: how many results are left out; those that stay may have lost their `data`. */
  cut: z.int().nonnegative().optional(),
  results: z.array(CheckResult),
  /** null: no report of an earlier day is kept; older agents have none. */
  changes: ReportChanges.nullable().optional(),
})
export type HostReport = z.infer<typeof HostReport>
