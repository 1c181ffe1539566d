/** A body may be longer than it said, and others fill the disk too: the head-room is looked at again every few MiB. */
import { Refusal } from '@cis490/shared/problems.ts'
import type { BodyTurn } from '../http/uploads-running.ts'

const lookEvery = 4 << 20

type Take = (chunk: Buffer) => Promise<void> | undefined

export interface RoomPorts {
  readonly limits: { readonly headroom: number }
  freeBytes(): Promise<number>
}

/** @returns a taker that counts for the turn and refuses with store-full once the head-room is gone */
export function roomWatch(take: Take, turn: BodyTurn, ports: RoomPorts): Take {
  let sinceLook = 0
  return (chunk) => {
    turn.arrived(chunk.length)
    const written = take(chunk)
    sinceLook += chunk.length
    if (sinceLook < lookEvery) return written
    sinceLook = 0
    return Promise.all([written, requireRoom(ports)]).then(() => undefined)
  }
}

async function requireRoom(ports: RoomPorts): Promise<void> {
  if ((await ports.freeBytes()) < ports.limits.headroom)
    throw new Refusal('store-full', 'the disk of the receiver is nearly full', { retry_after_s: 300 })
}
