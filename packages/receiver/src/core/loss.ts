/** `losses.jsonl`: what was promised once and cannot be given back any more, as a row that says so. */
import { z } from 'zod'

export const LossRow = z.looseObject({
  at: z.string(),
  host: z.string(),
  id: z.string(),
  /** The finding that told. */
  reason: z.string(),
  detail: z.string(),
  /** Who ran the repair; `cis490-receiver` for one at start. */
  by: z.string(),
  sha256: z.string().optional(),
  bytes: z.number().optional(),
  commit: z.string().optional(),
  /** Of the lost receipt: tells a loss from a later one of the same id. */
  received_at: z.string().optional(),
  /** Paths below the state folder, of what is left of it. */
  kept: z.array(z.string()),
})
export type LossRow = z.infer<typeof LossRow>

/** A repair that was killed and runs again finds the same loss: it is written down once. */
export function lossName({ host, id, received_at, sha256 }: LossRow): string {
  return [host, id, received_at, sha256].join(' ')
}
