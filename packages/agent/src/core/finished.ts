/** Is a recording finished? Only then may it be packed. */
import { EpisodeMeta } from '@cis490/shared/episode.ts'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'

export interface Recording {
  /** Name of the folder. */
  readonly id: EpisodeId
  /** `meta.json` if it is there as a regular file. */
  readonly meta: { readonly text: string; readonly mtime_ns: bigint } | undefined
  /** The regular file with the latest mtime, `meta.json` apart. */
  readonly newest: { readonly path: string; readonly mtime_ns: bigint } | undefined
}

export type Finished =
  | { readonly state: 'finished'; readonly meta: EpisodeMeta }
  | { readonly state: 'recording'; readonly reason: 'no-meta' | 'file-newer-than-meta' | 'changed-while-packing' }
  | { readonly state: 'stuck'; readonly file: string }
  | { readonly state: 'invalid'; readonly reason: string }

const stuckAfterNs = 3_600_000_000_000n

/** @param nowMs milliseconds since 1970 */
export function judgeFinished({ id, meta, newest }: Recording, nowMs: number): Finished {
  if (meta === undefined) return { state: 'recording', reason: 'no-meta' }
  const value = parseObject(meta.text)
  if (value === undefined) return { state: 'invalid', reason: 'meta.json is not a JSON object' }
  const parsed = EpisodeMeta.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return { state: 'invalid', reason: `meta.json: ${issue?.path.join('.')}: ${issue?.message}` }
  }
  if (parsed.data.episode_id !== id)
    return { state: 'invalid', reason: `meta.json: episode_id is ${parsed.data.episode_id}, the folder is ${id}` }
  if (newest === undefined || newest.mtime_ns <= meta.mtime_ns) return { state: 'finished', meta: parsed.data }
  // A recorder that still writes is no fault; a file that has been newer for an hour means that nobody will touch meta.json again.
  if (BigInt(Math.trunc(nowMs)) * 1_000_000n - newest.mtime_ns > stuckAfterNs) return { state: 'stuck', file: newest.path }
  return { state: 'recording', reason: 'file-newer-than-meta' }
}
