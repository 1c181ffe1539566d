import { z } from 'zod'
import { CheckResult, Outcome } from './check.ts'
import { HostName } from './ids.ts'

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
  results: z.array(CheckResult),
})
export type HostReport = z.infer<typeof HostReport>
