/** Packing that has to stop is told at once and then every hour, and that it goes on is told too. */

import { hour } from '../core/backoff.ts'
import type { RoomVerdict } from '../core/quota.ts'
import type { AgentContext } from './context.ts'

interface Told {
  readonly reason: Exclude<RoomVerdict, 'enough'>
  readonly at: number
}

const told = new WeakMap<object, Told>()

const cure = {
  quota:
    'raise quota.bytes, lower ship.keep_shipped, or set quota.policy = "drop-oldest-delivered"; what is delivered goes by itself',
  'disk-full': 'make room on the disk; what is delivered goes by itself once the receiver can be reached',
}

/** @param stopped why and at which episode packing stopped in this scan; undefined: it did not */
export function tellPacking(
  { outbox, log, now }: AgentContext,
  stopped: { readonly reason: Exclude<RoomVerdict, 'enough'>; readonly id: string } | undefined,
): void {
  const before = told.get(outbox)
  if (stopped === undefined) {
    if (before) log.info({ event: 'packing-goes-on', reason: before.reason }, 'there is room again: packing goes on')
    told.delete(outbox)
    return
  }
  if (before?.reason === stopped.reason && Math.abs(now() - before.at) < hour) return
  told.set(outbox, { reason: stopped.reason, at: now() })
  log.error(
    { event: 'packing-stopped', ...stopped, remedy: cure[stopped.reason] },
    'no room to pack: recorded data stays where it is',
  )
}
