import { type Accepted, foldAccepted } from '@cis490/fleet/core/accepted.ts'
import { foldHeartbeat, foldRefused, type Heartbeat, type Refused } from '@cis490/fleet/core/facts.ts'
import { hourBucket, parseTime, pulledBackTo, rowsUpTo } from '@cis490/fleet/core/time.ts'
import { describe, expect, test } from 'vitest'

const noon = Date.parse('2026-11-21T12:00:00Z')
const all = rowsUpTo(noon)
const row = (more: object) => ({
  id: 'e1',
  host: 'lab-01',
  received_at: '2026-11-21T11:00:00.000Z',
  commit: 'a'.repeat(40),
  ...more,
})

describe('a row of the index', () => {
  test.each<[string, object, string]>([
    ['of the current receiver counts', row({}), 'used'],
    ['of an older receiver without seq, prev and commit counts', row({ commit: undefined }), 'used'],
    ['whose time has another zone counts', row({ received_at: '2026-11-21T12:30:00+01:00' }), 'used'],
    ['whose time has no zone counts as UTC', row({ received_at: '2026-11-21T11:00:00.123456' }), 'used'],
    ['of an older receiver without host is no activity of anyone', row({ host: undefined }), 'ignored'],
    ['that was back-filled is no activity', row({ backfilled: true }), 'ignored'],
    ['from after the moment is left out', row({ received_at: '2026-11-21T12:00:00.001Z' }), 'ignored'],
    ['with a path for a host is garbage', row({ host: '../../etc' }), 'garbage'],
    ['with a host that is no text is garbage', row({ host: { toString: 1 } }), 'garbage'],
    ['without a time is garbage', row({ received_at: undefined }), 'garbage'],
    ['with a word for a time is garbage', row({ received_at: 'yesterday' }), 'garbage'],
    ['with a month 13 is garbage', row({ received_at: '2026-13-21T11:00:00Z' }), 'garbage'],
  ])('%s', (_sentence, given, verdict) => {
    const hosts = new Map<string, Accepted>()
    expect(foldAccepted(hosts, given as Record<string, unknown>, all)).toBe(verdict)
    expect([...hosts.keys()]).toEqual(verdict === 'used' ? ['lab-01'] : [])
  })

  test('of a host in capitals is the same host, and a host may be called constructor', () => {
    const hosts = new Map<string, Accepted>()
    foldAccepted(hosts, row({ host: 'LAB-01' }), all)
    foldAccepted(hosts, row({ host: 'constructor' }), all)
    expect([...hosts.keys()]).toEqual(['lab-01', 'constructor'])
  })

  test('that comes out of order does not turn the clock back', () => {
    const hosts = new Map<string, Accepted>()
    foldAccepted(hosts, row({ received_at: '2026-11-21T11:30:00Z' }), all)
    foldAccepted(hosts, row({ received_at: '2026-11-21T11:10:00Z', commit: null }), all)
    expect(hosts.get('lab-01')).toEqual({ last: parseTime('2026-11-21T11:30:00Z'), unstamped: parseTime('2026-11-21T11:10:00Z') })
  })

  test('from the future is pulled back to the clock when read live', () => {
    const hosts = new Map<string, Accepted>()
    foldAccepted(hosts, row({ received_at: '2031-01-01T00:00:00Z' }), pulledBackTo(noon))
    expect(hosts.get('lab-01')?.last).toBe(noon)
  })
})

test('refusals are kept once a status and code, the latest of each', () => {
  const hosts = new Map<string, Refused[]>()
  const refuse = (at: string, status: number, code: string, commit?: string) =>
    foldRefused(hosts, { at, host: 'lab-01', status, code, commit }, all)
  refuse('2026-11-21T11:50:00Z', 412, 'commit-not-in-window', 'b'.repeat(40))
  refuse('2026-11-21T11:40:00Z', 412, 'commit-not-in-window', 'c'.repeat(40))
  refuse('2026-11-21T11:45:00Z', 503, 'invented-by-a-proxy')
  expect(refuse('2026-11-21T11:45:00Z', 412.5, 'x')).toBe('garbage')
  expect(hosts.get('lab-01')).toEqual([
    { status: 412, code: 'commit-not-in-window', last: parseTime('2026-11-21T11:50:00Z'), commit: 'b'.repeat(40) },
    { status: 503, code: 'other', last: parseTime('2026-11-21T11:45:00Z') },
  ])
})

test('a heartbeat counts what is ready and gated; what is quarantined waits for a person, not for the wire', () => {
  const hosts = new Map<string, Heartbeat>()
  foldHeartbeat(hosts, { at: '2026-11-21T11:00:00Z', host: 'lab-01', outbox: { ready: 2, gated: 3, quarantined: 7 } }, all)
  expect(hosts.get('lab-01')?.waiting).toBe(5)
  foldHeartbeat(hosts, { at: '2026-11-21T11:01:00Z', host: 'lab-01', outbox: 'broken' }, all)
  expect(hosts.get('lab-01')?.waiting).toBe(0)
})

test('the hour bucket is the UTC hour', () => {
  expect(hourBucket(Date.parse('2026-11-21T02:59:59.999Z'))).toBe('2026-11-21T02Z')
})
