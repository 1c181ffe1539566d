/**
 * One archive that waits, with its sidecar.
 *
 *     outbox/<id>.tar.zst     the archive; immutable once it has this name
 *     outbox/<id>.json        its sidecar, replaced whole for every change of state
 *     outbox/*.part           unfinished, removed by the next reclaim
 */
import { type EpisodeId, Sha256 } from '@cis490/shared/ids.ts'
import { z } from 'zod'

export const Lane = z.enum(['ready', 'gated', 'quarantine'])
export type Lane = z.infer<typeof Lane>

export const Sidecar = z.object({
  sha256: Sha256,
  bytes: z.int().nonnegative(),
  /** The stamp as meta.json has it; absent where it has none. Whether it is a commit is the gate's to say. */
  commit: z.string().optional(),
  schema_version: z.string().optional(),
  lane: Lane,
  /** From meta.json, -10 to 10; absent: 0. */
  priority: z.int().optional(),
  /** Attempts to send it that got an answer or a network fault. */
  attempts: z.int().nonnegative(),
  /** What the last attempt brought. */
  last: z.object({ status: z.int(), code: z.string(), at: z.string() }).optional(),
  /** RFC 3339; not before this time. Absent: at once. */
  next_at: z.string().optional(),
  /** Path of the open upload at the receiver: a restart goes on there. */
  upload_url: z.string().optional(),
  /** How much of the archive the receiver had for good when it was last heard of. */
  upload_offset: z.int().nonnegative().optional(),
  /** How often in a row the receiver got other bytes than the archive has. */
  mismatches: z.int().nonnegative().optional(),
})
export type Sidecar = z.infer<typeof Sidecar>

export interface Entry extends Sidecar {
  readonly id: EpisodeId
}
