/** The history checker finds each way in which a receiver can break its word, and nothing where it keeps it. */
import { describe, expect, it } from 'vitest'
import { checkHistory, type HeldReceipt, type Stored } from '../../../scripts/soak/check.ts'
import type { Put, Read } from '../../../scripts/soak/history.ts'

const [shaA, shaB] = ['a'.repeat(64), 'b'.repeat(64)] as [string, string]
const receipt = (sha256: string) => `{"sha256":"${sha256}"}\n`

function put(how: Partial<Put> = {}): Put {
  const common = { client: 'c', host: 'h', id: 'e', kind: 'new' as const, sha256: shaA, commit: 'c1', began: 0, ended: 5 }
  return { ...common, outcome: 'ok', status: 201, receipt: receipt(shaA), ...how }
}

const unknown = (how: Partial<Put> = {}): Put => {
  const { status: _, receipt: __, ...rest } = put({ outcome: 'info', ...how })
  return rest
}
const refused = (status: number, code: string, how: Partial<Put> = {}): Put => ({
  ...unknown(how),
  outcome: 'fail',
  status,
  code,
})

function stored(sha256 = shaA, more: Partial<Stored> = {}): Stored {
  return {
    rows: [{ host: 'h', id: 'e', sha256, commit: 'c1' }],
    files: new Map([['h/e', sha256]]),
    sidecars: new Map([['h/e', receipt(sha256)]]),
    incoming: [],
    chain: [],
    ...more,
  }
}

const nothing: Stored = { rows: [], files: new Map(), sidecars: new Map(), incoming: [], chain: [] }

function kinds(puts: Put[], store: Stored, reads: Read[] = [], held: HeldReceipt[] = []): string[] {
  return checkHistory(puts, reads, held, store).map(({ kind }) => kind)
}

const held = (how: Partial<HeldReceipt> = {}): HeldReceipt => ({
  ...{ host: 'h', id: 'e', sha256: shaA, commit: 'c1', text: receipt(shaA).trim() },
  ...how,
})

const read = (status: number, sha256: string | undefined, began: number): Read => ({
  client: 'c',
  host: 'h',
  id: 'e',
  began,
  status,
  sha256,
})

describe('it finds nothing', () => {
  it.each<[string, Put[], Stored]>([
    ['where an episode is created once', [put()], stored()],
    ['where it is sent again', [put(), put({ status: 200 })], stored()],
    ['where the answer of what is stored got lost', [unknown()], stored()],
    ['where the answer got lost and nothing was stored', [unknown()], nothing],
    ['where the 201 got lost and the second answer is 200', [unknown(), put({ status: 200 })], stored()],
    ['where of two that race one wins', [unknown({ sha256: shaB }), put()], stored()],
    [
      'where a conflict is with what is stored',
      [put(), refused(409, 'content-conflict', { sha256: shaB, stored: shaA })],
      stored(),
    ],
    ['where a wrong hash is refused', [refused(400, 'sha256-mismatch', { kind: 'wrong-hash' })], nothing],
    ['where an old commit is refused', [refused(412, 'commit-not-in-window', { kind: 'stale-stamp' })], nothing],
    ['where too many come at once', [refused(503, 'overloaded'), refused(429, 'rate'), refused(408, 'too-slow')], nothing],
    ['where a fault left it open', [{ ...unknown(), status: 503, code: 'overloaded' }], nothing],
  ])('%s', (_, puts, store) => {
    expect(kinds(puts, store)).toEqual([])
  })

  it('where reads see what was acknowledged before them', () => {
    expect(kinds([put()], stored(), [read(404, undefined, 4), read(200, shaA, 6)])).toEqual([])
  })

  it('where an agent holds the receipt of what is stored', () => {
    expect(kinds([unknown()], stored(), [], [held()])).toEqual([])
  })
})

describe('it finds', () => {
  const row = { host: 'h', id: 'e', sha256: shaA, commit: 'c1' }
  it.each<[string, string[], Put[], Stored]>([
    ['an acknowledged episode without a row', ['lost', 'receipt-differs'], [put()], nothing],
    ['a sidecar without a row', ['file-without-row'], [unknown()], { ...nothing, sidecars: new Map([['h/e', receipt(shaA)]]) }],
    ['a row without its sidecar', ['sidecar-missing'], [unknown()], stored(shaA, { sidecars: new Map() })],
    ['a row of what nobody sent', ['stored-unasked'], [], stored()],
    [
      'a stamp that was refused, although the same bytes came with another one',
      ['stamp-lost'],
      [refused(412, 'commit-not-in-window', { kind: 'stale-stamp', commit: 'c9' }), put()],
      stored(shaA, { rows: [{ host: 'h', id: 'e', sha256: shaA, commit: 'c9' }] }),
    ],
    ['a row without its archive', ['row-without-file'], [put()], stored(shaA, { files: new Map() })],
    ['an archive without a row', ['file-without-row'], [unknown()], { ...nothing, files: new Map([['h/e', shaA]]) }],
    ['an archive of other bytes', ['file-differs'], [put()], stored(shaA, { files: new Map([['h/e', shaB]]) })],
    ['a sidecar that is not the receipt', ['receipt-differs'], [put()], stored(shaA, { sidecars: new Map([['h/e', '{}\n']]) })],
    ['a second row', ['duplicate-row'], [put()], stored(shaA, { rows: [row, row] })],
    ['a second 201', ['two-created'], [put(), put()], stored()],
    [
      'two hashes acknowledged',
      ['two-hashes', 'receipt-changed'],
      [put(), put({ sha256: shaB, status: 200, receipt: receipt(shaB) })],
      stored(),
    ],
    [
      'a row of another hash than acknowledged',
      ['two-hashes', 'receipt-differs'],
      [put(), unknown({ sha256: shaB })],
      stored(shaB),
    ],
    ['a receipt that changes', ['receipt-changed'], [put(), put({ status: 200, receipt: '{}\n' })], stored()],
    ['a stamp that is not the one sent', ['stamp-lost'], [put({ commit: 'c2' })], stored()],
    ['a stamp that is missing', ['stamp-lost'], [put()], stored(shaA, { rows: [{ host: 'h', id: 'e', sha256: shaA }] })],
    ['a refused one that is stored', ['refused-but-stored'], [refused(503, 'overloaded')], stored()],
    ['a wrong hash that is stored', ['refused-but-stored'], [unknown({ kind: 'wrong-hash' })], stored()],
    ['a wrong hash that is acknowledged', ['unexpected-answer', 'refused-but-stored'], [put({ kind: 'wrong-hash' })], stored()],
    [
      'a conflict with what is not stored',
      ['conflict-with-nothing'],
      [refused(409, 'content-conflict', { stored: shaB })],
      nothing,
    ],
    ['a conflict with itself', ['conflict-with-nothing'], [put(), refused(409, 'content-conflict', { stored: shaA })], stored()],
    ['a fault of the receiver', ['unexpected-answer'], [{ ...unknown(), status: 500, code: 'internal' }], nothing],
    ['an answer that is not ours', ['unexpected-answer'], [{ ...unknown(), status: 502, code: '' }], nothing],
    ['a body that nobody sends any more', ['left-in-incoming'], [], { ...nothing, incoming: ['x.part'] }],
    ['a broken chain', ['broken-chain'], [], { ...nothing, chain: ['line 2'] }],
  ])('%s', (_, wanted, puts, store) => {
    expect(kinds(puts, store)).toEqual(wanted)
  })

  it('a read that does not see what was acknowledged before it', () => {
    expect(kinds([put()], stored(), [read(404, undefined, 6)])).toEqual(['stale-read'])
  })

  it('a read that sees other bytes', () => {
    expect(kinds([put()], stored(), [read(200, shaB, 1)])).toEqual(['stale-read'])
  })

  it('an answer to a read that is none', () => {
    expect(kinds([put()], stored(), [read(500, undefined, 6)])).toEqual(['unexpected-answer'])
  })

  it('a receipt of an agent with another stamp, or other than the sidecar', () => {
    expect(kinds([], stored(), [], [held({ commit: 'c2' })])).toEqual(['stamp-lost'])
    expect(kinds([], stored(), [], [held({ text: '{}' })])).toEqual(['receipt-differs'])
  })

  it('a receipt that an agent holds for nothing, or for other bytes', () => {
    expect(kinds([], nothing, [], [held()])).toEqual(['lost'])
    expect(kinds([unknown({ sha256: shaB })], stored(shaB), [], [held()])).toEqual(['two-hashes'])
  })
})
