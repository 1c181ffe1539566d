import { EpisodeId } from '@cis490/shared/ids.ts'
import { describe, expect, test } from 'vitest'
import { type DeliveredFolder, lookSincePacked, planDelivered, restOf } from '../../../packages/agent/src/core/delivered-plan.ts'
import { type OutboxFacts, planReclaim, type ReclaimStep } from '../../../packages/agent/src/core/outbox-plan.ts'

const id = EpisodeId.parse('ep-1')
const sidecar = { sha256: 'a'.repeat(64) }
const other = { sha256: 'b'.repeat(64) }

const nothing: OutboxFacts = {
  parts: [],
  archives: [],
  sidecars: new Map(),
  folders: new Set(),
  receipts: new Map(),
  inFlight: new Set(),
  knownOrphans: new Set(),
}
const complete = { archives: [id], sidecars: new Map([[id, sidecar]]) }
const folders = new Set([id])
const inFlight = new Set([id])

const rows: [sentence: string, facts: Partial<OutboxFacts>, steps: ReclaimStep[]][] = [
  ['an empty outbox needs nothing', {}, []],
  ['an unfinished file goes', { parts: ['ep-1.tar.zst.part'] }, [{ act: 'remove-part', name: 'ep-1.tar.zst.part' }]],
  [
    'a sidecar without archive goes',
    { sidecars: new Map([[id, sidecar]]), folders },
    [{ act: 'remove-entry', id, reason: 'sidecar-without-archive' }],
  ],
  ['a complete entry whose folder is there stays', { ...complete, folders }, []],
  [
    'a complete entry with its receipt goes, folder or not',
    { ...complete, receipts: new Map([[id, sidecar]]) },
    [{ act: 'remove-entry', id, reason: 'delivered' }],
  ],
  ['a receipt for other bytes removes nothing', { ...complete, folders, receipts: new Map([[id, other]]) }, []],
  [
    'an archive without sidecar goes while its folder is there',
    { archives: [id], folders },
    [{ act: 'remove-entry', id, reason: 'folder-still-there' }],
  ],
  [
    'an archive without sidecar and folder is the last copy: it gets a sidecar',
    { archives: [id] },
    [{ act: 'adopt', id, reason: 'last-copy' }],
  ],
  [
    'an archive with a garbage sidecar and no folder is the last copy too',
    { archives: [id], sidecars: new Map([[id, undefined]]) },
    [{ act: 'adopt', id, reason: 'last-copy' }],
  ],
  [
    'a complete entry without receipt and folder is kept and reported',
    complete,
    [{ act: 'keep', id, reason: 'orphan-kept', report: true }],
  ],
  [
    'a kept orphan that was reported is not reported again',
    { ...complete, knownOrphans: new Set([id]) },
    [{ act: 'keep', id, reason: 'orphan-kept', report: false }],
  ],
  ['an entry in flight is left alone, even with its receipt', { ...complete, receipts: new Map([[id, sidecar]]), inFlight }, []],
  ['a sidecar in flight is left alone', { sidecars: new Map([[id, sidecar]]), inFlight }, []],
]

describe('reclaim', () => {
  test.each(rows)('%s', (_sentence, facts, steps) => {
    expect(planReclaim({ ...nothing, ...facts })).toEqual(steps)
  })
})

describe('delivered folders', () => {
  const folder = (name: string, day: number, bytes: number, since: DeliveredFolder['since'] = 'unchanged'): DeliveredFolder => ({
    id: EpisodeId.parse(name),
    bytes,
    received_at: `2026-11-0${day}T00:00:00.000Z`,
    since,
  })
  const outcome = (folders: DeliveredFolder[], keep: number) =>
    Object.fromEntries(planDelivered(folders, keep).map((step) => [step.id, `${step.act} ${step.reason}`]))

  test('without keep_shipped all of them go, empty ones too', () => {
    expect(outcome([folder('a', 1, 10), folder('b', 2, 0)], 0)).toEqual({ a: 'delete delivered', b: 'delete delivered' })
  })
  test('with keep_shipped the newest stay, and the oldest go first', () => {
    const folders = [folder('old', 1, 10), folder('new', 3, 10), folder('middle', 2, 10)]
    expect(outcome(folders, 25)).toEqual({ old: 'delete delivered', middle: 'keep second-copy', new: 'keep second-copy' })
  })
  test('a small old one does not outlive a big newer one that had to go', () => {
    expect(outcome([folder('small-old', 1, 1), folder('big', 2, 30), folder('new', 3, 10)], 25)).toEqual({
      'small-old': 'delete delivered',
      big: 'delete delivered',
      new: 'keep second-copy',
    })
  })
  test('one that was written to after it was packed is never deleted', () => {
    expect(outcome([folder('a', 1, 10, 'changed')], 0)).toEqual({ a: 'keep changed-after-delivery' })
  })
  test('one of which nobody knows how it was packed is never deleted', () => {
    expect(outcome([folder('a', 1, 10, 'unknown')], 0)).toEqual({ a: 'keep not-known-as-delivered' })
  })
})

describe('a folder since it was packed', () => {
  const packed = { tree: 'x', newest_change_ns: '1000' }
  const look = (tree: string, change: string) => ({ tree, newest_change_ns: change })
  test.each([
    ['is unchanged when it looks the same', look('x', '1000'), packed, 'unchanged'],
    ['changed when the same tree was written anew', look('x', '9999'), packed, 'changed'],
    ['changed when the tree is another', look('y', '1000'), packed, 'changed'],
    ['changed when it was recorded again after the clock went back', look('y', '900'), packed, 'changed'],
    ['is unknown when no look at those bytes is known', look('x', '1000'), undefined, 'unknown'],
  ])('%s', (_sentence, now, before, since) => {
    expect(lookSincePacked(now, before)).toBe(since)
  })
  test('is the rest of a deletion only while nothing in it is newer', () => {
    expect([restOf(look('y', '900'), packed), restOf(look('y', '1001'), packed), restOf(look('y', '0'), undefined)]).toEqual([
      true,
      false,
      false,
    ])
  })
})
