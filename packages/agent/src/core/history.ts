/** What of an entry's life is worth remembering: not every attempt, but each that brought something new. */
import { EpisodeId } from '@cis490/shared/ids.ts'
import { z } from 'zod'

/** A line of `history.jsonl`. */
export const HistoryRow = z.object({
  at: z.string(),
  id: EpisodeId,
  /** `lane`: it moved. `answer`: an attempt brought another answer than the one before. */
  what: z.enum(['lane', 'answer']),
  lane: z.string(),
  /** The lane before. */
  from: z.string().optional(),
  status: z.int().optional(),
  code: z.string().optional(),
  attempts: z.int(),
})
export type HistoryRow = z.infer<typeof HistoryRow>

/** The part of an entry that the history looks at. */
export interface Remembered {
  readonly lane: string
  readonly attempts: number
  readonly last?: { readonly status: number; readonly code: string } | undefined
}

/** @param before undefined: it was packed this moment. @returns undefined where nothing new happened */
export function whatChanged(before: Remembered | undefined, after: Remembered): Omit<HistoryRow, 'at' | 'id'> | undefined {
  const { lane, attempts, last } = after
  const answer = last === undefined ? {} : { status: last.status, code: last.code }
  // Packed and ready is what always happens; the time is in packed.jsonl.
  if (before === undefined) return lane === 'ready' ? undefined : { what: 'lane', lane, ...answer, attempts }
  if (before.lane !== lane) return { what: 'lane', lane, from: before.lane, ...answer, attempts }
  return before.last?.code === last?.code ? undefined : { what: 'answer', lane, ...answer, attempts }
}
