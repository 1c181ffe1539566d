/** `prune`: what it chooses, what it writes down, and what happens when it is killed. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import { describe, expect, test } from 'vitest'
import { type Chosen, choose, type PruneRow, unclear } from '../../../packages/receiver/src/core/prune.ts'
import { Episodes } from '../../../packages/receiver/src/store/episodes.ts'
import { fsck } from '../../../packages/receiver/src/store/fsck.ts'
import { IndexLog } from '../../../packages/receiver/src/store/index-log.ts'
import { Prunes } from '../../../packages/receiver/src/store/prunes.ts'
import { recover } from '../../../packages/receiver/src/store/recover.ts'
import { TestStore } from '../../support/store.ts'

const row = (more: Partial<IndexRow> = {}): IndexRow => ({
  ...{ id: 'ep-1', host: 'lab-07', sha256: 'a'.repeat(64), bytes: 10, received_at: '2026-01-02T00:00:00.000Z' },
  ...more,
})
const day = Date.parse('2026-01-02T00:00:00Z')

describe('choosing', () => {
  test.each<[string, IndexRow, Parameters<typeof choose>[1], boolean]>([
    ['older than the limit', row(), { before: day + 1 }, true],
    ['received at the limit', row(), { before: day }, false],
    ['without a time', row({ received_at: undefined }), { before: day + 1 }, false],
    ['of another host', row(), { before: day + 1, host: HostName.parse('lab-08') }, false],
    ['named', row(), { ids: new Set(['ep-1']) }, true],
    ['not named', row(), { ids: new Set(['ep-2']) }, false],
    ['tainted', row(), { tainted: () => true }, true],
    ['not tainted', row(), { tainted: () => false }, false],
    ['tainted, but not old enough', row(), { tainted: () => true, before: day }, false],
    ['an older row without a host', row({ host: undefined }), { before: day + 1 }, false],
    ['a row without a size', row({ bytes: undefined }), { before: day + 1 }, false],
  ])('an episode that is %s: the answer is clear', (_, one, choice, expected) => {
    expect(choose(one, choice) !== undefined).toBe(expected)
  })

  test('ids of nobody and ids of several hosts are told apart', () => {
    const chosen = [choose(row(), {}), choose(row({ host: 'lab-08' }), {}), choose(row({ id: 'ep-2' }), {})] as Chosen[]
    expect(unclear(new Set(['ep-1', 'ep-2', 'ep-3']), chosen)).toEqual({ unknown: ['ep-3'], ambiguous: ['ep-1'] })
  })
})

test('the id of a pruned episode whose row is gone too is not given again: its receipt is there', async () => {
  const { layout } = new TestStore()
  const key = { id: EpisodeId.parse('ep-1'), host: HostName.parse('lab-07') }
  mkdirSync(layout.shelf(key), { recursive: true })
  const [archive, sidecar] = ['part', 'json'].map((end) => join(layout.incoming, `new.${end}`)) as [string, string]
  for (const path of [layout.sidecar(key), archive, sidecar]) writeFileSync(path, path)
  const pruned: PruneRow = { ...key, at: '', sha256: Sha256.parse('a'.repeat(64)), bytes: 10, by: 'me', reason: 'full' }
  writeFileSync(layout.prunes, `${JSON.stringify(pruned)}\n`)
  expect(await new Episodes(layout).publish(key, { archive, sidecar })).toBe(false)
  expect(readFileSync(layout.sidecar(key), 'utf8')).toBe(layout.sidecar(key))
  expect(existsSync(layout.archive(key))).toBe(false)
})

test('the id of a pruned episode is not new, even where its receipt is gone too', async () => {
  const { layout } = new TestStore()
  const key = { id: EpisodeId.parse('ep-1'), host: HostName.parse('lab-07') }
  const episodes = new Episodes(layout)
  expect(episodes.isNew(key)).toBe(true)
  const pruned: PruneRow = { ...key, at: '', sha256: Sha256.parse('a'.repeat(64)), bytes: 10, by: 'me', reason: 'full' }
  writeFileSync(layout.prunes, `${JSON.stringify(pruned)}\n`)
  expect(episodes.isNew(key)).toBe(false)
})

async function twoEpisodes(): Promise<TestStore> {
  const store = new TestStore()
  for (const id of ['ep-1', 'ep-2']) await store.put(id)
  return store
}
const there = (store: TestStore, id: string) => existsSync(store.layout.archive(store.key(id)))
const clean = async (store: TestStore) => (await fsck(store.layout, { verifyHashes: true })).findings

/** The line that stands before the deed, as a killed prune leaves it. */
function writeDown(store: TestStore, id: string): void {
  const { sha256, bytes } = JSON.parse(readFileSync(store.layout.sidecar(store.key(id)), 'utf8')) as PruneRow
  const line = { at: '2026-01-01T00:00:00.000Z', ...store.key(id), sha256, bytes, by: 'ada', reason: 'old' }
  appendFileSync(store.layout.prunes, `${JSON.stringify(line)}\n`)
}

test('it says who, when, why and what before the archive goes, and leaves rows and receipts as they are', async () => {
  const store = await twoEpisodes()
  const index = store.indexText()
  const run = await store.run('prune', '--before', '0s', '--reason', 'full\u001b[2J', '--yes')
  expect([run.code, run.stdout.split('\n').at(-2)]).toMatchObject([0, expect.stringMatching(/^2 episodes .* pruned$/)])
  const lines = readFileSync(store.layout.prunes, 'utf8').trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line) as PruneRow)).toMatchObject([
    {
      host: 'lab-07',
      id: 'ep-1',
      reason: 'full[2J',
      by: expect.stringMatching(/./),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
    { id: 'ep-2' },
  ])
  expect([there(store, 'ep-1'), there(store, 'ep-2'), store.indexText() === index]).toEqual([false, false, true])
  expect(await clean(store)).toEqual([])
  const again = await store.run('prune', '--before', '0s', '--reason', 'full', '--yes', '--json')
  expect(JSON.parse(again.stdout)).toMatchObject({ pruned: 0, finished: 0, chosen: [] })
})

test.each([
  [['--reason', 'x'], 2, 'say what goes: --before TIME, --tainted or --ids ID,...'],
  [['--ids', 'ep-9', '--reason', 'x', '--yes'], 1, 'not stored: ep-9; nothing was pruned'],
  [['--ids', 'ep-1', '--reason', ' '], 2, '--reason must say something'],
  [['--before', 'soon', '--reason', 'x'], 2, '--before: '],
  [['--ids', 'ep-1', '--reason', 'x'], 2, 'say --yes, or --dry-run to see them'],
])('prune %j is refused and nothing goes', async (args, code, text) => {
  const store = await twoEpisodes()
  const run = await store.run('prune', ...args)
  expect([run.code, run.stderr]).toEqual([code, expect.stringContaining(text)])
  expect([there(store, 'ep-1'), existsSync(store.layout.prunes)]).toEqual([true, false])
})

test('--dry-run says what would go', async () => {
  const store = await twoEpisodes()
  const run = await store.run('prune', '--ids', 'ep-2', '--reason', 'x', '--dry-run')
  expect([run.code, run.stdout]).toMatchObject([0, expect.stringMatching(/^lab-07\/ep-2 .*\n1 episode .* would go\n$/)])
  expect([there(store, 'ep-2'), existsSync(store.layout.prunes)]).toEqual([true, false])
})

test('--tainted takes what a taint stands against, and not what was cleared', async () => {
  const store = await twoEpisodes()
  const said = { at: '2026-01-01T00:00:00.000Z', kind: 'id', reason: 'clock', by: 'ada' }
  const lines = [
    { ...said, value: 'ep-1', id: 'ep-1', state: 'tainted' },
    { ...said, value: 'ep-2', id: 'ep-2', state: 'tainted' },
    { ...said, value: 'ep-2', id: 'ep-2', state: 'cleared' },
  ]
  writeFileSync(store.layout.taints, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  expect((await store.run('prune', '--tainted', '--reason', 'bad clock', '--yes')).code).toBe(0)
  expect([there(store, 'ep-1'), there(store, 'ep-2')]).toEqual([false, true])
})

test('a prune that was killed is a finding until the next start ends it', async () => {
  const store = await twoEpisodes()
  writeDown(store, 'ep-1')
  expect((await clean(store)).map(({ kind }) => kind)).toEqual(['prune-unfinished'])
  await using index = await IndexLog.open(store.layout.index)
  expect(await recover(store.layout, index)).toMatchObject({ prunes_finished: 1, rows_without_archive: 0, sidecars_removed: 0 })
  expect([there(store, 'ep-1'), await clean(store)]).toEqual([false, []])
})

test('a prune that was killed is ended by the next prune, and by fsck --repair', async () => {
  const store = await twoEpisodes()
  writeDown(store, 'ep-1')
  const next = await store.run('prune', '--ids', 'ep-2', '--reason', 'x', '--yes', '--json')
  expect(JSON.parse(next.stdout)).toMatchObject({ finished: 1, pruned: 1 })
  expect([there(store, 'ep-1'), there(store, 'ep-2')]).toEqual([false, false])
  await store.put('ep-3')
  writeDown(store, 'ep-3')
  expect((await store.run('fsck', '--repair')).code).toBe(0)
  expect([there(store, 'ep-3'), await clean(store)]).toEqual([false, []])
})

test('an index that is written anew has a row for what was pruned', async () => {
  const store = await twoEpisodes()
  expect((await store.run('prune', '--ids', 'ep-1', '--reason', 'x', '--yes')).code).toBe(0)
  writeFileSync(store.layout.index, '')
  expect((await clean(store)).map(({ kind }) => kind).sort()).toEqual(['archive-without-row', 'pruned-without-row'])
  expect((await store.run('fsck', '--rebuild-index')).code).toBe(0)
  expect(
    store
      .rows()
      .map(({ id }) => id)
      .sort(),
  ).toEqual(['ep-1', 'ep-2'])
})

test('a line that is still being written says nothing yet; what is added later is seen', async () => {
  const store = await twoEpisodes()
  writeDown(store, 'ep-1')
  const whole = readFileSync(store.layout.prunes, 'utf8')
  const prunes = new Prunes(store.layout)
  writeFileSync(store.layout.prunes, whole.slice(0, -1))
  expect(await prunes.find(store.key('ep-1'))).toBeUndefined()
  writeFileSync(store.layout.prunes, whole)
  expect(await prunes.find(store.key('ep-1'))).toMatchObject({ by: 'ada' })
  expect(await prunes.find({ host: HostName.parse('lab-08'), id: EpisodeId.parse('ep-1') })).toBeUndefined()
  expect(existsSync(join(store.layout.root, 'prunes.lock'))).toBe(false)
})

test('an episode with two rows is one episode of one host, and is pruned once', async () => {
  const store = await twoEpisodes()
  unlinkSync(store.layout.archive(store.key('ep-1')))
  unlinkSync(store.layout.sidecar(store.key('ep-1')))
  const later = await store.putBytes('ep-1', Buffer.from('other bytes'))
  const run = await store.run('prune', '--ids', 'ep-1', '--reason', 'x', '--yes', '--json')
  expect([run.code, JSON.parse(run.stdout)]).toMatchObject([0, { pruned: 1, chosen: [{ id: 'ep-1', sha256: later.sha256 }] }])
  expect(readFileSync(store.layout.prunes, 'utf8').trimEnd().split('\n')).toHaveLength(1)
})

test('a long prunes.jsonl is read in pieces: others get their turn in between', async () => {
  const store = new TestStore()
  const line = (k: number) =>
    JSON.stringify({ at: 'x', ...store.key(`ep-${k}`), sha256: 'a'.repeat(64), bytes: 1, by: 'ada', reason: 'old' })
  writeFileSync(store.layout.prunes, `${Array.from({ length: 8000 }, (_, k) => line(k)).join('\n')}\nhalf`)
  const prunes = new Prunes(store.layout)
  const sizes: number[] = []
  const state = { ended: false }
  const turn = () => {
    sizes.push(prunes.size)
    if (!state.ended) setImmediate(turn)
  }
  setImmediate(turn)
  await prunes.refresh()
  state.ended = true
  expect([prunes.size, prunes.has(store.key('ep-7999'))]).toEqual([8000, true])
  const steps = [...sizes, prunes.size].map((size, k) => size - (sizes[k - 1] ?? 0))
  expect(Math.max(...steps)).toBeLessThan(1000)
})
