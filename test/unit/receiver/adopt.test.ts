import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lineHash } from '../../../packages/receiver/src/store/index-log.ts'
import { episode } from '../../support/archives.ts'
import { scratchDir } from '../../support/scratch.ts'
import { printed, storedCommit, TestStore } from '../../support/store.ts'

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** The flat store of an older receiver: three archives, two rows without host, commit, seq and prev. */
function olderStore(dir: string): { lines: string[]; archives: Map<string, Buffer> } {
  mkdirSync(join(dir, 'episodes'), { recursive: true })
  const archives = new Map(
    ['old-1', 'old-2', 'old-3'].map((id) => [
      id,
      episode(id, storedCommit, `payload of ${id}`, id === 'old-3' ? {} : { host: 'LAB-07' }),
    ]),
  )
  for (const [id, bytes] of archives) {
    const path = join(dir, 'episodes', `${id}.tar.zst`)
    writeFileSync(path, bytes)
    utimesSync(path, 1_600_000_000, 1_600_000_000)
  }
  const row = (id: string, received_at: string) =>
    JSON.stringify({ id, sha256: sha(archives.get(id) as Buffer), bytes: archives.get(id)?.length, received_at })
  const lines = [row('old-1', '2024-01-01T00:00:00+01:00'), row('old-2', '2024-02-01T00:00:00Z')]
  writeFileSync(join(dir, 'index.jsonl'), `${lines.join('\n')}\n`)
  return { lines, archives }
}

test('a flat older store is taken over, its files stay, and a second time there is nothing to do', async () => {
  const store = new TestStore()
  const dir = scratchDir()
  const { archives } = olderStore(dir)
  const run = await store.run('backfill', '--adopt', dir, '--json')
  expect(printed(run)).toMatchObject({ adopted: 2, already_there: 0, refused: [{ id: 'old-3', reason: 'host-unknown' }] })
  expect(run.code).toBe(1)
  const named = await store.run('backfill', '--adopt', dir, '--host', 'LAB-09', '--json')
  expect([named.code, printed(named)]).toEqual([0, { rows_added: 0, adopted: 1, already_there: 2, refused: [] }])
  expect(store.rows()).toMatchObject([
    { id: 'old-1', host: 'lab-07', received_at: '2023-12-31T23:00:00.000Z', commit: storedCommit, backfilled: true, seq: 1 },
    { id: 'old-2', host: 'lab-07', received_at: '2024-02-01T00:00:00.000Z', backfilled: true, seq: 2 },
    { id: 'old-3', host: 'lab-09', received_at: '2020-09-13T12:26:40.000Z', backfilled: true, seq: 3 },
  ])
  for (const [id, bytes] of archives) {
    expect(readFileSync(join(dir, 'episodes', `${id}.tar.zst`)).equals(bytes)).toBe(true)
    const key = store.key(id, id === 'old-3' ? 'lab-09' : 'lab-07')
    expect(readFileSync(store.layout.archive(key)).equals(bytes)).toBe(true)
  }
  expect(readdirSync(store.layout.incoming)).toEqual([])
  expect((await store.run('fsck', '--verify-hashes')).code).toBe(0)
})

test('adopted in its own place, the index goes on after the older rows and leaves them as they are', async () => {
  const store = new TestStore()
  const { lines } = olderStore(store.layout.root)
  const run = await store.run('backfill', '--adopt', store.layout.root, '--host', 'lab-09', '--json')
  expect(printed(run)).toMatchObject({ adopted: 3, refused: [] })
  expect(store.indexText().startsWith(`${lines.join('\n')}\n`)).toBe(true)
  expect(store.rows()[2]).toMatchObject({ id: 'old-1', seq: 3, prev: lineHash(lines[1] as string) })
  expect(store.rows().map((row) => row['seq'])).toEqual([undefined, undefined, 3, 4, 5])
  expect((await store.run('fsck', '--verify-hashes')).code).toBe(0)
})

test('an archive whose bytes are not what its older row says is left alone', async () => {
  const store = new TestStore()
  const dir = scratchDir()
  olderStore(dir)
  writeFileSync(join(dir, 'episodes', 'old-1.tar.zst'), episode('old-1', storedCommit, 'other', { host: 'lab-07' }))
  const run = await store.run('backfill', '--adopt', dir, '--host', 'lab-09', '--json')
  expect([run.code, printed(run)]).toMatchObject([1, { adopted: 2, refused: [{ id: 'old-1', reason: 'hash-differs' }] }])
})

test('an archive that is stored with other bytes is left alone', async () => {
  const store = new TestStore()
  await store.put('old-1')
  const dir = scratchDir()
  olderStore(dir)
  const run = await store.run('backfill', '--adopt', dir, '--host', 'lab-09', '--json')
  expect(printed(run)).toMatchObject({ adopted: 2, refused: [{ id: 'old-1', reason: 'content-conflict' }] })
})

test('an archive that was lost here is brought back under its receipt and its row; other bytes are left alone', async () => {
  const store = new TestStore()
  const dir = scratchDir()
  olderStore(dir)
  const adopt = async () => printed(await store.run('backfill', '--adopt', dir, '--host', 'lab-09', '--json'))
  expect(await adopt()).toMatchObject({ adopted: 3 })
  const before = store.indexText()
  for (const id of ['old-1', 'old-2']) unlinkSync(store.layout.archive(store.key(id)))
  writeFileSync(join(dir, 'episodes', 'old-2.tar.zst'), episode('old-2', storedCommit, 'other bytes', { host: 'LAB-07' }))
  writeFileSync(join(dir, 'index.jsonl'), '')
  const again = await adopt()
  expect(again).toMatchObject({ adopted: 1, already_there: 1, refused: [{ id: 'old-2', reason: 'content-conflict' }] })
  expect(store.indexText()).toBe(before)
  expect(readFileSync(store.layout.archive(store.key('old-1')))).toEqual(readFileSync(join(dir, 'episodes', 'old-1.tar.zst')))
})

test('a stored archive without receipt and row gets both', async () => {
  const store = new TestStore()
  await store.put('ep-1')
  await store.put('ep-2', false)
  unlinkSync(store.layout.sidecar(store.key('ep-2')))
  const run = await store.run('backfill', '--json')
  expect([run.code, printed(run)]).toEqual([0, { rows_added: 1, adopted: 0, already_there: 0, refused: [] }])
  expect(store.rows()[1]).toMatchObject({ id: 'ep-2', host: 'lab-07', commit: storedCommit, backfilled: true, seq: 2 })
  expect((await store.run('fsck', '--verify-hashes')).code).toBe(0)
})

test('a folder without archives, and a host name that is none, are told in a line', async () => {
  const store = new TestStore()
  const empty = scratchDir()
  expect(await store.run('backfill', '--adopt', empty)).toMatchObject({ code: 3, stdout: '' })
  const wrong = await store.run('backfill', '--host', '../x')
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    'cis490-receiver: --host ../x: a host name is letters, digits, dots and hyphens\n',
  ])
})

test('an archive on the shelf of one host whose meta.json names another gets no receipt and no row', async () => {
  const store = new TestStore()
  const key = store.key('ep-1', 'lab-a')
  mkdirSync(store.layout.shelf(key), { recursive: true })
  writeFileSync(store.layout.archive(key), episode('ep-1', storedCommit, 'payload', { host: 'lab-b' }))
  for (let k = 0; k < 2; k += 1) {
    const run = await store.run('backfill', '--json')
    expect(printed(run)).toMatchObject({ rows_added: 0, refused: [{ id: 'ep-1', reason: 'host-disagrees' }] })
  }
  expect(store.indexText()).toBe('')
})
