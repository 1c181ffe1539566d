import { foldHeartbeat, type Heartbeat as Heard } from '@cis490/fleet/core/facts.ts'
import { rowsUpTo } from '@cis490/fleet/core/time.ts'
import { Heartbeat, heartbeatRow } from '@cis490/shared/heartbeat.ts'
import { HostName } from '@cis490/shared/ids.ts'
import { expect, it } from 'vitest'

const host = HostName.parse('lab-07')
const now = Date.parse('2026-11-21T12:00:00.000Z')

it('a row has the time of the receiver, and the host´s own beside it', () => {
  const said = Heartbeat.parse({ at: '2026-11-21T11:59:58.000+00:00', boot_id: 'b', disk_free_bytes: 5 })
  expect(heartbeatRow(host, said, now)).toEqual({
    at: '2026-11-21T12:00:00.000Z',
    host: 'lab-07',
    sent_at: '2026-11-21T11:59:58.000+00:00',
    boot_id: 'b',
    disk_free_bytes: 5,
  })
})

it('what the receiver writes down is what the fleet folds', () => {
  const said = Heartbeat.parse({ outbox: { ready: 2, gated: 3, quarantined: 7, bytes: 10, oldest_age_s: null } })
  const line = JSON.stringify(heartbeatRow(host, said, now))
  const hosts = new Map<string, Heard>()
  expect(foldHeartbeat(hosts, JSON.parse(line), rowsUpTo(now))).toBe('used')
  expect([...hosts]).toEqual([['lab-07', { at: now, waiting: 5 }]])
})

it('an empty heartbeat is one, and members that nobody knows are dropped', () => {
  expect(Heartbeat.parse({ mood: 'good', outbox: { ready: 1, odd: 'x' } })).toEqual({ outbox: { ready: 1 } })
})

it.each([{ at: 'today' }, { outbox: { ready: -1 } }, { outbox: [] }, { commit: 'x'.repeat(65) }, { disk_free_bytes: 0.5 }])(
  '%j is none',
  (said) => expect(Heartbeat.safeParse(said).success).toBe(false),
)
