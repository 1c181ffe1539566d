/** May another archive be written, and which second copies make room for it? Nothing that only this host has ever goes. */
import type { EpisodeId } from '@cis490/shared/ids.ts'

/** A delivered folder that stayed. */
export interface SecondCopy {
  readonly id: EpisodeId
  readonly bytes: number
  /** RFC 3339 sorts as text. */
  readonly received_at: string
}

export type QuotaPolicy = 'stop-packing' | 'drop-oldest-delivered'

export interface Room {
  /** Bytes in outbox and episodes together. */
  readonly used: number
  /** 0: no quota. */
  readonly quota: number
  readonly policy: QuotaPolicy
  /** Free on the outbox's file system. */
  readonly free: number
  /** What the reserve file holds there. */
  readonly held: number
  readonly reserve: number
  readonly copies: readonly SecondCopy[]
  /** Do the copies lie on the disk that `free` is about? */
  readonly sameDisk: boolean
}

export type RoomVerdict = 'enough' | 'quota' | 'disk-full'

export interface RoomPlan {
  readonly verdict: RoomVerdict
  /** Oldest first. */
  readonly drop: readonly { readonly copy: SecondCopy; readonly reason: Exclude<RoomVerdict, 'enough'> }[]
}

/**
 * Under `stop-packing` the quota costs no copy; a disk that runs full does under either policy: as much as the reserve stays free for recorders.
 * Where even all copies would not be enough, only those go that a limit which is exceeded already asks for.
 * @param next upper bound of the archive's size, bytes
 */
export function planRoom(room: Room, next: number): RoomPlan {
  const all = room.copies.reduce((sum, copy) => sum + copy.bytes, 0)
  const need = shortages(room, next)
  const verdict =
    need.disk - room.held > (room.sameDisk ? all : 0)
      ? 'disk-full'
      : need.quota > (room.policy === 'drop-oldest-delivered' ? all : 0)
        ? 'quota'
        : 'enough'
  return { verdict, drop: choose(room, verdict === 'enough' ? need : shortages(room, 0)) }
}

interface Shortages {
  readonly quota: number
  readonly disk: number
}

function shortages({ used, quota, free, reserve }: Room, next: number): Shortages {
  return { quota: quota > 0 ? used + next - quota : 0, disk: reserve + next - free }
}

function choose({ copies, policy, sameDisk }: Room, need: Shortages): RoomPlan['drop'] {
  const forQuota = policy === 'drop-oldest-delivered' ? need.quota : 0
  const forDisk = sameDisk ? need.disk : 0
  const drop: { copy: SecondCopy; reason: Exclude<RoomVerdict, 'enough'> }[] = []
  let freed = 0
  for (const copy of copies.toSorted((a, b) => (a.received_at < b.received_at ? -1 : a.received_at > b.received_at ? 1 : 0))) {
    if (freed >= Math.max(forQuota, forDisk)) break
    drop.push({ copy, reason: freed < forQuota ? 'quota' : 'disk-full' })
    freed += copy.bytes
  }
  return drop
}
