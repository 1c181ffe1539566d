import { z } from 'zod'

export const Symptom = z.enum(['silent', 'fatal-only', 'unstamped'])
export type Symptom = z.infer<typeof Symptom>

/** One line of `alerts.jsonl`. */
export const AlertRow = z.looseObject({
  at: z.string(),
  id: z.string(),
  host: z.string(),
  symptom: Symptom,
  state: z.enum(['firing', 'resolved']),
  severity: z.enum(['warning', 'critical']),
  /** UTC hour, `2026-11-21T02Z`. */
  hour_bucket: z.string(),
  since: z.string(),
  text: z.string(),
  evidence: z.record(z.string(), z.unknown()),
  remedy: z.string(),
  inhibits: z.array(z.string()).optional(),
  /** Only on `resolved`: how long it fired, in seconds. */
  duration_s: z.number().optional(),
})
export type AlertRow = z.infer<typeof AlertRow>
