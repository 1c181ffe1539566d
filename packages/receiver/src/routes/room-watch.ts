/** A body may be longer than it said, and others fill the disk too: the head-room is looked at again every few MiB. */
import { Refusal } from '@cis490/shared/problems.ts'
import type { BodyTurn } from '../http/uploads-running.ts'

const lookEvery = 4 << 20

type Take = (chunk: Buffer) => Promise<void> | undefined

export interface RoomPorts {
  readonly limits: { readonly headroom: number }
  freeBytes(): number
}

/** @returns a taker that counts for the turn and refuses with store-full once the head-room is gone */
export function roomWatch(take: Take, turn: BodyTurn, ports: RoomPorts): Take {
  let sinceLook = 0
  return (chunk) => {
    turn.arrived(chunk.length)
    sinceLook += chunk.length
    if (sinceLook >= lookEvery) {
      sinceLook = 0
      requireRoom(ports)
    }
    return take(chunk)
  }
}

function requireRoom(ports: RoomPorts): void {
  if (ports.freeBytes() < ports.limits.headroom)
    throw new Refusal('store-full', 'the disk of the receiver is nearly full', { retry_after_s: 300 })
}
