import { EpisodeMeta } from '@cis490/shared/episode.ts'
import { type Explanation, inOrder } from '@cis490/shared/explain.ts'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { nearest } from '@cis490/shared/nearest.ts'
import { describe, expect, test } from 'vitest'
import { type HostTrace, hostEvents } from '../../../packages/agent/src/core/why-events.ts'
import { hostState, type NextFacts, nextStep } from '../../../packages/agent/src/core/why-next.ts'
import { makeAgentHome, recordEpisode } from '../../support/agent-home.ts'
import { runToEnd } from '../../support/program.ts'

const id = EpisodeId.parse('run-1')
const at = '2026-11-21T10:00:00.000Z'
const now = Date.parse(at)
const empty: HostTrace = {
  ...{ folder: undefined, refused: undefined, entry: undefined },
  ...{ packed: [], history: [], receipts: [], tombstones: [] },
}
const finished = { verdict: { state: 'finished', meta: EpisodeMeta.parse({ episode_id: id }) } } as const
const entry = { lane: 'ready', bytes: 1, attempts: 1, last: { status: 412, code: 'commit-not-in-window', at } } as const

const next = (trace: Partial<HostTrace>, more: Partial<NextFacts> = {}) => {
  const full = { ...empty, ...trace }
  return nextStep({
    id,
    state: hostState(full),
    trace: full,
    held: undefined,
    now,
    gate: undefined,
    receiver: undefined,
    ...more,
  })
}
const says = (state: Explanation['state']): Explanation => ({ id, state, events: [], notes: [], next: `it is ${state}` })

describe('the last sentence says what happens next', () => {
  test.each<[string, Partial<HostTrace>, Partial<NextFacts>, string]>([
    ['recording', { folder: { verdict: { state: 'recording', reason: 'no-meta' } } }, {}, 'packed when meta.json is there'],
    ['stuck', { folder: { verdict: { state: 'stuck', file: 'a.csv' } } }, {}, 'touch meta.json of run-1: a.csv is newer'],
    ['invalid', { folder: { verdict: { state: 'invalid', reason: 'no JSON' } } }, {}, 'mend it: no JSON'],
    ['finished', { folder: finished }, {}, 'the next scan of cis490-agent run packs it'],
    ['finished while paused', { folder: finished }, { held: 'paused by kim' }, 'packed later: paused by kim'],
    [
      'unpackable',
      { folder: finished, refused: { at, path: 'x.sock', reason: 'a socket' } },
      {},
      'take x.sock out of its folder',
    ],
    ['ready', { entry }, {}, 'at the next turn of cis490-agent run'],
    [
      'ready outside a window',
      { entry },
      { held: 'outside its window' },
      'sent later: outside its window; last: 412 commit-not-in-window',
    ],
    ['ready with backoff', { entry: { ...entry, next_at: '2026-11-21T10:05:00.000Z' } }, {}, 'by itself at 2026-11-21T10:05'],
    ['gated', { entry: { ...entry, lane: 'gated' } }, { gate: 'refuse' }, 'until the gate lets its commit in'],
    [
      'gated without a full hash, which no window lets in',
      { entry: { ...entry, lane: 'gated', last: { at, status: 400, code: 'commit-malformed' } } },
      { gate: 'refuse' },
      'the recorder must write one into code_version.commit of meta.json; give this one up: cis490-agent outbox drop run-1',
    ],
    ['gated by yesterday', { entry: { ...entry, lane: 'gated' } }, { gate: 'accept' }, 'the gate lets its commit in by now'],
    ['quarantine', { entry: { ...entry, lane: 'quarantine' } }, {}, 'cis490-agent outbox show run-1, then release or drop'],
    ['delivered', { receipts: [{ received_at: at }] }, {}, 'nothing: it is delivered'],
    ['delivered and stored', { receipts: [{ received_at: at }] }, { receiver: says('stored') }, 'it is stored'],
    [
      'delivered and pruned',
      { receipts: [{ received_at: at }] },
      { receiver: says('pruned') },
      'at the receiver it was taken out on purpose',
    ],
    ['delivered and lost', { receipts: [{ received_at: at }] }, { receiver: says('lost') }, 'keep what is left of it here'],
    ['dropped', { tombstones: [{ at, by: 'kim', reason: 'noise' }] }, {}, 'given up, and is never packed again'],
    ['gone', { packed: [{ at, sha256: 'a' }] }, {}, 'without a receipt or a tombstone'],
    ['unknown', {}, {}, 'nobody has heard of it'],
    ['known to the receiver alone', {}, { receiver: says('stored') }, 'the receiver says: it is stored'],
  ])('%s', (_case, trace, more, sentence) => expect(next(trace, more)).toContain(sentence))
})

test('an entry that waits says more than a receipt of other bytes, and a dropped second copy is no drop', () => {
  const second = { at, by: 'cis490-agent', reason: 'room', what: 'second-copy' }
  expect(hostState({ ...empty, entry, receipts: [{ received_at: at }] })).toBe('ready')
  expect(hostState({ ...empty, folder: finished, tombstones: [second] })).toBe('finished')
  expect(hostEvents({ ...empty, tombstones: [second] })[0]?.what).toBe('second-copy-dropped')
})

test('an answer that the history has is told once; one of before there was a history is told from the entry', () => {
  const row = { at, id, what: 'answer', lane: 'ready', status: 412, code: 'commit-not-in-window', attempts: 1 } as const
  expect(hostEvents({ ...empty, entry }).map(({ text }) => text)).toEqual([
    'attempt 1: 412 commit-not-in-window: The code that made this episode is too old or unknown',
  ])
  expect(hostEvents({ ...empty, entry, history: [row] })).toHaveLength(1)
})

test('events come in the order of time, of one moment in the order given', () => {
  const events = ['2026-01-02T00:00:00Z', '2026-01-01T00:00:00.000Z', '2026-01-01T01:00:00+01:00', 'never'].map((of, k) => ({
    at: of,
    k,
  }))
  expect(inOrder(events).map(({ k }) => k)).toEqual([3, 1, 2, 0])
})

test('the nearest ids are those that somebody may have meant', () => {
  const known = ['run-2026-11-20', 'run-2026-11-21', 'run-2026-12-21', 'lab', 'RUN-2026-11-2']
  expect(nearest('run-2026-11-22', known)).toEqual(['RUN-2026-11-2', 'run-2026-11-20', 'run-2026-11-21'])
  expect(nearest('11-21', known)).toEqual(['run-2026-11-21'])
  expect(nearest('zzz', known)).toEqual([])
})

describe('the command, without a receiver', { timeout: 180_000 }, () => {
  test('tells what this host knows and says that the receiver could not be asked', async () => {
    const home = makeAgentHome('[quota]\nreserve = "0"\n')
    recordEpisode(home, 'run-1', undefined, { started_at: '2023-11-14T22:00:00.000Z' })
    expect((await runToEnd('agent', ['scan', '--config', home.config])).code).toBe(0)
    const run = await runToEnd('agent', ['why', 'run-1', '--config', home.config])
    expect(run.code).toBe(3)
    expect(run.stdout).toMatch(
      /^run-1: ready\n {2}\S+ {2}host {6}recording began\n {2}\S+ {2}host {6}finished: .*\n {2}\S+ {2}host {6}packed into the outbox/,
    )
    expect(run.stdout).toContain('receiver: could not be asked: ')
    expect(run.stdout).toMatch(/\nnext: it is sent at the next turn of cis490-agent run.*\n$/)
    const local = await runToEnd('agent', ['why', 'run-1', '--local', '--json', '--config', home.config])
    expect(JSON.parse(local.stdout)).toMatchObject({ id: 'run-1', state: 'ready', receiver: null })
    expect(local.code).toBe(0)
    const unknown = await runToEnd('agent', ['why', 'run-7', '--local', '--config', home.config])
    expect([unknown.code, unknown.stdout]).toEqual([
      1,
      `run-7: no trace of it in ${home.episodes}, ${home.outbox} and ${home.state}\ndid you mean: run-1\n`,
    ])
    expect((await runToEnd('agent', ['why', '../x', '--config', home.config])).code).toBe(2)
  })
})
