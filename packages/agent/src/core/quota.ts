/** May another archive be written? Packing stops before it takes the room that recorders need. */

export interface Room {
  /** Bytes in outbox and episodes together. */
  readonly used: number
  /** 0: no quota. */
  readonly quota: number
  /** Free on the outbox's file system. */
  readonly free: number
  readonly reserve: number
}

export type RoomVerdict = 'enough' | 'quota' | 'disk-full'

/** @param next upper bound of the archive's size, bytes */
export function judgeRoom({ used, quota, free, reserve }: Room, next: number): RoomVerdict {
  if (free < reserve + next) return 'disk-full'
  return quota > 0 && used + next > quota ? 'quota' : 'enough'
}
