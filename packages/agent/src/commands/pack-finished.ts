/** Judges one folder and packs it if it is finished; whatever becomes of it is noted in the result. */
import { type EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { EpisodeChanged, PackRefused } from '../episodes/faults.ts'
import type { Look } from '../episodes/scan.ts'
import { fingerprint } from '../episodes/tree.ts'
import type { Refused } from '../outbox/refused.ts'
import type { AgentContext } from './context.ts'
import { firstTime } from './first-time.ts'
import type { Rooms } from './make-room.ts'
import { type PackOptions, packOne } from './pack-one.ts'
import type { ScanResult } from './scan-result.ts'

/**
 * @param earlier how it was refused before; it is not tried again until its folder changes
 * @param rooms asked for room before anything is written
 */
export async function packFinished(
  context: AgentContext,
  id: EpisodeId,
  { verdict, tree }: Look,
  options: PackOptions,
  result: ScanResult,
  earlier: Refused | undefined,
  rooms: Rooms,
): Promise<void> {
  const { outbox, log, now } = context
  if (verdict.state !== 'finished') {
    result.unfinished.push({ id, ...verdict })
    if (verdict.state !== 'recording' && firstTime(outbox, `${verdict.state} ${id}`))
      log.warn(
        { event: `episode-${verdict.state}`, id, ...verdict, remedy: remedyOf(verdict.state) },
        'an episode is not finished and will not be by itself',
      )
    return
  }
  const print = fingerprint(tree)
  if (earlier?.tree === print.tree) {
    result.refused.push(earlier)
    return
  }
  const manner = options.mayPack?.()
  if (manner?.go === 'wait') {
    result.later.push({ id, reason: manner.reason })
    return
  }
  const room = await rooms.ask(print.bytes)
  if (room !== 'enough') {
    result.later.push({ id, reason: room })
    return
  }
  try {
    const entry = await packOne(context, verdict.meta, tree, options)
    result.packed.push(entry)
    rooms.packed(entry.bytes)
    log.info({ event: 'packed', id, bytes: entry.bytes, lane: entry.lane }, 'packed an episode')
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof EpisodeChanged) result.unfinished.push({ id, state: 'recording', reason: 'changed-while-packing' })
    else if (error instanceof PackRefused) {
      const commit = verdict.meta.code_version?.commit
      const { path, reason } = error
      result.refused.push({
        id,
        path,
        reason,
        at: timestamp(now()),
        ...(commit === undefined ? {} : { commit }),
        bytes: print.bytes,
        tree: print.tree,
      })
      log.error({ event: 'pack-refused', id, path, reason }, 'an episode holds what no archive may carry: mend its folder')
    } else {
      result.later.push({ id, reason: isErrno(error, 'ENOSPC', 'EDQUOT') ? 'disk-full' : 'fault', detail: messageOf(error) })
      log.error({ event: 'pack-failed', id, cause: messageOf(error) }, 'could not pack an episode')
    }
  }
}

function remedyOf(state: 'stuck' | 'invalid'): string {
  return state === 'stuck' ? 'touch meta.json' : 'write a valid meta.json'
}
