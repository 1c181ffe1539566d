/** One finished episode into the outbox, on the lane that the gate's answer for its stamp asks for. */

import type { EpisodeMeta } from '@cis490/shared/episode.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { isProblemCode, problems } from '@cis490/shared/problems.ts'
import type { Manner } from '../core/manners.ts'
import { priorityOf } from '../core/priority.ts'
import { packEpisode } from '../episodes/pack.ts'
import { fingerprint, type TreeEntry } from '../episodes/tree.ts'
import type { Entry } from '../outbox/entry.ts'
import type { AgentContext } from './context.ts'

export interface GateVerdict {
  readonly verdict: 'accept' | 'refuse' | 'unavailable'
  /** Why it refuses. */
  readonly code?: string | undefined
}

export interface PackOptions {
  /** Asked once for each distinct stamp of a scan, before its first episode is packed. An unreachable receiver is `unavailable`. */
  readonly gateAllows?: ((commit: string) => Promise<GateVerdict>) | undefined
  /** @param done bytes read so far of `total` */
  readonly onProgress?: ((id: string, done: number, total: number) => void) | undefined
  /** Asked before each episode; what must wait is left for a later scan. */
  readonly mayPack?: (() => Manner) | undefined
  /** Waited for between two pieces of a file. */
  readonly breathe?: (() => Promise<void>) | undefined
  /** Called as soon as a folder turns out to be written to still. */
  readonly onRecording?: (() => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** @throws PackRefused, EpisodeChanged, or the fault of the disk */
export async function packOne(
  context: AgentContext,
  meta: EpisodeMeta,
  tree: readonly TreeEntry[],
  options: PackOptions,
): Promise<Entry> {
  const { outbox, config, now } = context
  const id = meta.episode_id
  const commit = meta.code_version?.commit
  const priority = priorityOf(meta.priority)
  const gate = commit === undefined ? undefined : await options.gateAllows?.(commit)
  const archive = await packEpisode({
    episodesDir: config.paths.episodes,
    id,
    tree,
    partPath: outbox.partPath(id),
    onProgress: options.onProgress && ((done, total) => options.onProgress?.(id, done, total)),
    breathe: options.breathe,
    signal: options.signal,
  })
  const entry: Entry = {
    id,
    ...archive,
    ...(commit === undefined ? {} : { commit }),
    ...(meta.schema_version === undefined ? {} : { schema_version: String(meta.schema_version) }),
    // A refused episode is packed all the same: it is kept, counted, and goes when the gate's answer changes.
    ...(gate?.verdict === 'refuse'
      ? { lane: 'gated' as const, last: refusal(gate, timestamp(now())) }
      : { lane: 'ready' as const }),
    attempts: 0,
    ...(priority === 0 ? {} : { priority }),
  }
  const { tree: hash, newest_change_ns } = fingerprint(tree)
  await outbox.publish(entry, { tree: hash, newest_change_ns })
  return entry
}

function refusal(gate: GateVerdict, at: string): NonNullable<Entry['last']> {
  const code = isProblemCode(gate.code) ? gate.code : 'commit-not-in-window'
  return { status: problems[code].status, code, at }
}
