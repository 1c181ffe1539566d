/** `GET /v1/gate` and its `?commit=` form. */
import { z } from 'zod'

export const GateSource = z.enum(['api', 'git', 'git-fallback', 'disk-cache'])
export type GateSource = z.infer<typeof GateSource>

export const GateMode = z.enum(['enforce', 'observe', 'off'])
export type GateMode = z.infer<typeof GateMode>

export const GateAnswer = z.looseObject({
  mode: GateMode,
  branch: z.string(),
  /** null: no commit set yet. */
  head: z.string().nullable(),
  window: z.int(),
  size: z.int(),
  fetched_at: z.string().nullable(),
  age_s: z.number().nullable(),
  source: GateSource.nullable(),
  failures: z.int(),
  /** From here on only with `?commit=`. */
  verdict: z.enum(['accept', 'refuse', 'unavailable']).optional(),
  code: z.string().optional(),
  position: z.int().optional(),
  head_commit: z.string().nullable().optional(),
  remediation: z.string().optional(),
})
export type GateAnswer = z.infer<typeof GateAnswer>
