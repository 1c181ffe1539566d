/** `uploads/<u>.json`: all that is known of one resumable upload. The offset in it is on the disk for good. */
import { CommitSha, EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isProblemCode, type Problem } from '@cis490/shared/problems.ts'
import { Receipt } from '@cis490/shared/receipt.ts'
import { z } from 'zod'
import type { Accepted } from '../core/gate.ts'

const bytes = z.int().nonnegative()

/** The answer that ended the upload, for whoever asks again. */
const FinalAnswer = z.union([
  z.strictObject({ status: z.union([z.literal(200), z.literal(201)]), receipt: Receipt, text: z.string() }),
  z.strictObject({ problem: z.custom<Problem>((value) => isProblemCode((value as Problem | undefined)?.code)) }),
])
export type FinalAnswer = z.infer<typeof FinalAnswer>

const UploadState = z.strictObject({
  host: HostName,
  id: EpisodeId,
  sha256: Sha256,
  length: bytes,
  offset: bytes,
  created_at: z.string(),
  expires_at: z.iso.datetime(),
  stamp: z.string().optional(),
  schema_version: z.string().optional(),
  agent_version: z.string().optional(),
  /** The gate's verdict at creation. */
  gate: z
    .strictObject({
      kind: z.literal('accept'),
      commit: CommitSha.optional(),
      position: z.int().positive().optional(),
      behindBy: z.int().nonnegative().optional(),
      head: CommitSha.optional(),
      mark: z.enum(['observe', 'waiver']).optional(),
    })
    // JSON has no undefined members.
    .transform((gate) => gate as Accepted),
  finished: FinalAnswer.optional(),
})
export type UploadState = z.infer<typeof UploadState>

/** @returns undefined for what no receiver has written */
export function parseUploadState(text: string): UploadState | undefined {
  const state = UploadState.safeParse(parseObject(text)).data
  return state !== undefined && state.offset <= state.length ? state : undefined
}
