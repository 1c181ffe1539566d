/** Checks as data, and the one outcome that every check of every program has. */
import { z } from 'zod'

export const Outcome = z.enum(['pass', 'warn', 'fail', 'unknown', 'skip'])
export type Outcome = z.infer<typeof Outcome>

export const CheckResult = z.object({
  code: z.string(),
  title: z.string(),
  outcome: Outcome,
  severity: z.enum(['warning', 'critical']),
  text: z.string(),
  data: z.record(z.string(), z.unknown()),
  /** A command or one sentence that mends it; absent on pass and skip. */
  remedy: z.string().optional(),
  duration_ms: z.number(),
})
export type CheckResult = z.infer<typeof CheckResult>

/** Worst first: a fail outweighs unknown, unknown outweighs warn; skip never counts. */
export const worstFirst: readonly Outcome[] = ['fail', 'unknown', 'warn', 'pass']

export function worstOutcome(outcomes: readonly Outcome[]): Outcome {
  return worstFirst.find((outcome) => outcomes.includes(outcome)) ?? 'unknown'
}

/** Exit code of a set of checks: 0 clean (a warn alone too), 1 a fail, 3 unknown without a fail. */
export function exitCodeOf(outcome: Outcome): number {
  if (outcome === 'fail') return 1
  return outcome === 'unknown' ? 3 : 0
}
