/** `fsck --repair`: what it mends, what it writes down, and that a second look is clean. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Receipt } from '@cis490/shared/receipt.ts'
import { expect, test } from 'vitest'
import { eachLine, rowIn } from '../../../packages/fleet/src/core/lines.ts'
import { follow, type Sink } from '../../../packages/fleet/src/facts/cursor.ts'
import { rebuildIndex, repairStore } from '../../../packages/receiver/src/commands/repair-store.ts'
import { Picture } from '../../../packages/receiver/src/store/fsck/look.ts'
import { fsck } from '../../../packages/receiver/src/store/fsck.ts'
import { IndexLog } from '../../../packages/receiver/src/store/index-log.ts'
import { readLosses } from '../../../packages/receiver/src/store/losses.ts'
import { lockPrunes } from '../../../packages/receiver/src/store/prune-episodes.ts'
import { recover } from '../../../packages/receiver/src/store/recover.ts'
import { printed, TestStore } from '../../support/store.ts'

async function threeEpisodes(): Promise<TestStore> {
  const store = new TestStore()
  for (const id of ['ep-1', 'ep-2', 'ep-3']) await store.put(id)
  return store
}
const kinds = async (store: TestStore) =>
  (await fsck(store.layout, { verifyHashes: true })).findings.map(({ kind }) => kind).sort()
const repair = async (store: TestStore) =>
  await repairStore(store.layout, await Picture.take(store.layout, { hashes: 'doubtful', running: () => false }))
const archive = (store: TestStore, id = 'ep-2') => store.layout.archive(store.key(id))
const sidecar = (store: TestStore, id = 'ep-2') => store.layout.sidecar(store.key(id))
const places = (store: TestStore) => store.rows().map(({ id, seq }) => [id, seq])
const lines = (store: TestStore) => store.indexText().trimEnd().split('\n')
const flip = (path: string, at: number) => {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] as number) ^ 0x80
  writeFileSync(path, bytes)
}

test('the command mends a torn tail, a missing row and an unfinished upload, and then all is clean', async () => {
  const store = await threeEpisodes()
  await store.put('ep-4', false)
  await store.put('ep-5', false)
  unlinkSync(archive(store, 'ep-5'))
  writeFileSync(join(store.layout.incoming, 'x.part'), 'half')
  appendFileSync(store.layout.index, '\0'.repeat(100))
  writeFileSync(store.layout.rejects, '{"at":"2026')
  expect(await kinds(store)).toEqual([
    'archive-without-row',
    ...Array.from({ length: 5 }, () => 'leftover-body'),
    'sidecar-without-archive',
    'torn-tail',
    'torn-tail',
  ])
  const run = await store.run('fsck', '--repair', '--json')
  expect(run.code).toBe(0)
  expect(printed(run)).toMatchObject({ findings: [], repaired: { lost: [], recovered: { rows_added: 1 } } })
  expect(await kinds(store)).toEqual([])
  expect(existsSync(sidecar(store, 'ep-5'))).toBe(false)
  expect(places(store)).toEqual([1, 2, 3, 4].map((n) => [`ep-${n}`, n]))
})

test('a row whose archive is gone is a loss: said loudly, written down, and the row goes; the old index stays', async () => {
  const store = await threeEpisodes()
  unlinkSync(archive(store))
  const before = store.indexText()
  const run = await store.run('fsck', '--repair')
  expect(run.code).toBe(1)
  expect(run.stdout).toContain('LOST lab-07/ep-2: row-without-archive')
  const [loss, ...others] = await readLosses(store.layout)
  expect([loss, others]).toMatchObject([{ host: 'lab-07', id: 'ep-2', reason: 'row-without-archive' }, []])
  expect(await kinds(store)).toEqual([])
  expect((await store.run('fsck', '--verify-hashes')).code).toBe(0)
  expect(places(store)).toEqual([
    ['ep-1', 1],
    ['ep-3', 2],
  ])
  const kept = readdirSync(store.layout.root).find((name) => name.startsWith('index.jsonl.before-')) as string
  expect(readFileSync(join(store.layout.root, kept), 'utf8')).toBe(before)
  expect(readFileSync(join(store.layout.root, loss?.kept[0] as string), 'utf8')).toContain('"id":"ep-2"')
})

test('an archive with other bytes goes to quarantine with its receipt; the right bytes are stored anew afterwards', async () => {
  const store = await threeEpisodes()
  flip(archive(store), 30)
  expect((await repair(store)).lost).toMatchObject([{ id: 'ep-2', reason: 'wrong-hash' }])
  expect(readdirSync(join(store.layout.quarantine, 'lab-07')).map((name) => name.split('.').slice(0, 2).join('.'))).toEqual([
    'ep-2.json',
    'ep-2.tar',
  ])
  await store.put('ep-2')
  expect(await kinds(store)).toEqual([])
  expect(places(store)).toEqual([
    ['ep-1', 1],
    ['ep-3', 2],
    ['ep-2', 3],
  ])
})

test('a receipt is written from its row, byte for byte as it was', async () => {
  const store = await threeEpisodes()
  const was = readFileSync(sidecar(store), 'utf8')
  for (const damage of [() => unlinkSync(sidecar(store)), () => writeFileSync(sidecar(store), '\0\0\0')]) {
    damage()
    const index = store.indexText()
    expect((await repair(store)).steps).toEqual([{ do: 'write-receipt', key: store.key('ep-2'), text: was }])
    expect(readFileSync(sidecar(store), 'utf8')).toBe(was)
    expect(store.indexText()).toBe(index)
    expect(await kinds(store)).toEqual([])
  }
})

test.each([
  ['sha256', (line: string) => line.replace(/"sha256":"....../, '"sha256":"badbad')],
  ['received_at', (line: string) => line.replace('"received_at":"2', '"received_at":"1')],
  ['id', (line: string) => line.replace('"id":"ep-2"', '"id":"ep-9"')],
])('of a row whose %s was edited the receipt is the truth', async (_, edit) => {
  const store = await threeEpisodes()
  const was = readFileSync(sidecar(store), 'utf8')
  writeFileSync(
    store.layout.index,
    `${lines(store)
      .map((line, k) => (k === 1 ? edit(line) : line))
      .join('\n')}\n`,
  )
  await repair(store)
  expect(await kinds(store)).toEqual([])
  const { seq: _seq, prev: _prev, ...row } = store.rows().find(({ id }) => id === 'ep-2') as Record<string, unknown>
  expect(JSON.stringify(row)).toBe(was)
})

test('of a receipt that was edited the row is the truth, when the next row vouches for it', async () => {
  const store = await threeEpisodes()
  const [was, index] = [readFileSync(sidecar(store), 'utf8'), store.indexText()]
  writeFileSync(sidecar(store), was.replace('"received_at":"2', '"received_at":"1'))
  await repair(store)
  expect([readFileSync(sidecar(store), 'utf8'), store.indexText()]).toEqual([was, index])
})

test('an archive that neither row nor receipt knows gets a receipt from its meta.json, marked as filled in later', async () => {
  const store = await threeEpisodes()
  unlinkSync(sidecar(store))
  writeFileSync(
    store.layout.index,
    `${lines(store)
      .filter((line) => !line.includes('"ep-2"'))
      .join('\n')}\n`,
  )
  expect((await repair(store)).lost).toEqual([])
  expect(await kinds(store)).toEqual([])
  expect(store.rows().find(({ id }) => id === 'ep-2')).toMatchObject({ backfilled: true, host: 'lab-07' })
})

test('an archive that neither row nor receipt knows and that cannot be read is kept in quarantine', async () => {
  const store = await threeEpisodes()
  unlinkSync(sidecar(store))
  writeFileSync(archive(store), Buffer.concat([readFileSync(archive(store)).subarray(0, 12), Buffer.alloc(40, 7)]))
  writeFileSync(
    store.layout.index,
    `${lines(store)
      .filter((line) => !line.includes('"ep-2"'))
      .join('\n')}\n`,
  )
  expect((await repair(store)).lost).toMatchObject([{ id: 'ep-2', reason: 'archive-without-sidecar' }])
  expect(await kinds(store)).toEqual([])
})

test('an archive on the wrong shelf is not lost: it goes back', async () => {
  const store = await threeEpisodes()
  const wrong = join(store.layout.episodes, 'lab-07', 'zz')
  mkdirSync(wrong)
  renameSync(archive(store), join(wrong, 'ep-2.tar.zst'))
  const index = store.indexText()
  expect(await repair(store)).toMatchObject({ put_back: 1, lost: [] })
  expect([await kinds(store), store.indexText()]).toEqual([[], index])
})

test('what does not belong there is moved, whatever it is: files, folders, links', async () => {
  const store = await threeEpisodes()
  const shelf = store.layout.shelf(store.key('ep-2'))
  mkdirSync(join(shelf, 'folder'))
  writeFileSync(join(store.layout.episodes, 'notes.txt'), 'note')
  mkdirSync(join(store.layout.episodes, 'NO-HOST'))
  writeFileSync(join(store.layout.episodes, 'lab-07', 'core'), 'core')
  expect(await kinds(store)).toEqual(['stranger', 'stranger', 'stranger', 'stranger'])
  await repair(store)
  expect(await kinds(store)).toEqual([])
  expect(
    readdirSync(join(store.layout.quarantine, 'strangers'))
      .map((name) => name.split('.2')[0])
      .sort(),
  ).toEqual(['NO-HOST', 'core', 'folder', 'notes.txt'])
})

test('rows of an older receiver stay as they are, in their places', async () => {
  const store = new TestStore()
  const older = ['{"id":"old-1","sha256":"00"}', '{"id":"old-2","received_at":"2020-01-01T00:00:00.000Z"}']
  writeFileSync(store.layout.index, `${older.join('\n')}\n`)
  for (const id of ['ep-1', 'ep-2']) await store.put(id)
  expect(await kinds(store)).toEqual([])
  writeFileSync(
    store.layout.index,
    `${lines(store)
      .filter((line) => !line.includes('"ep-1"'))
      .join('\n')}\n`,
  )
  await repair(store)
  expect(await kinds(store)).toEqual([])
  expect(lines(store).slice(0, 2)).toEqual(older)
  expect(places(store).slice(2)).toEqual([
    ['ep-2', 3],
    ['ep-1', 4],
  ])
})

test('--dry-run says what would be done and does nothing', async () => {
  const store = await threeEpisodes()
  unlinkSync(archive(store))
  appendFileSync(store.layout.index, 'half')
  const before = [store.indexText(), readdirSync(store.layout.root)]
  const run = await store.run('fsck', '--dry-run')
  expect(run.code).toBe(1)
  expect(run.stdout).toContain('would write lab-07/ep-2 into losses.jsonl (row-without-archive)')
  expect(run.stdout).toContain('would write the index anew')
  expect([store.indexText(), readdirSync(store.layout.root)]).toEqual(before)
})

test('an index that is written anew from nothing is the old one as a set, but for seq and prev', async () => {
  const store = await threeEpisodes()
  const bare = () =>
    store
      .rows()
      .map(({ seq: _seq, prev: _prev, ...row }) => JSON.stringify(row))
      .sort()
  const was = bare()
  unlinkSync(store.layout.index)
  const run = await store.run('fsck', '--rebuild-index', '--json')
  expect([run.code, printed(run)['rebuilt']]).toEqual([0, { rows: 3 }])
  expect(bare()).toEqual(was)
  expect(await kinds(store)).toEqual([])
})

test('a repair that was killed between its steps and runs again writes each loss down once', async () => {
  const store = await threeEpisodes()
  unlinkSync(archive(store))
  const index = store.indexText()
  await repair(store)
  // As if it had died before the new index had its name.
  writeFileSync(store.layout.index, index)
  writeFileSync(`${store.layout.index}.new`, 'half of')
  await repair(store)
  expect(await readLosses(store.layout)).toHaveLength(1)
  expect(await kinds(store)).toEqual([])
  expect(existsSync(`${store.layout.index}.new`)).toBe(false)
})

test('a repair that is cut off after any of its steps and runs again ends as one that was not', async () => {
  const damage = async () => {
    const store = await threeEpisodes()
    for (const id of ['ep-4', 'ep-5', 'ep-6']) await store.put(id)
    flip(archive(store, 'ep-1'), 30)
    unlinkSync(archive(store, 'ep-2'))
    unlinkSync(sidecar(store, 'ep-3'))
    writeFileSync(
      store.layout.index,
      `${lines(store)
        .filter((line) => !line.includes('"ep-4"'))
        .join('\n')}\n{"half`,
    )
    writeFileSync(join(store.layout.shelf(store.key('ep-5')), 'core'), 'core')
    return store
  }
  const end = async (store: TestStore) => ({
    findings: await kinds(store),
    rows: places(store),
    losses: (await readLosses(store.layout)).map(({ id, reason }) => `${id} ${reason}`).sort(),
    quarantine: readdirSync(join(store.layout.quarantine, 'lab-07'))
      .map((name) => name.replace(/\.2.*/, ''))
      .sort(),
  })
  const whole = await damage()
  const { steps } = await repair(whole)
  const expected = await end(whole)
  expect(steps).toHaveLength(7)
  expect(expected).toEqual({
    findings: [],
    rows: ['ep-3', 'ep-5', 'ep-6', 'ep-4'].map((id, k) => [id, k + 1]),
    losses: ['ep-1 wrong-hash', 'ep-2 row-without-archive'],
    quarantine: ['ep-1.json', 'ep-1.tar.zst', 'ep-2.json'],
  })
  for (let after = 1; after < steps.length; after += 1) {
    const store = await damage()
    const picture = await Picture.take(store.layout, { hashes: 'doubtful', running: () => false })
    const cut = repairStore(store.layout, picture, (done) => {
      if (done === after) throw new Error('cut off')
    })
    await expect(cut).rejects.toThrow('cut off')
    await repair(store)
    expect(await end(store), `cut off after ${steps[after - 1]?.do}`).toEqual(expected)
  }
})

test('an episode that was lost and sent again before a repair keeps the receipt that its host has', async () => {
  const store = await threeEpisodes()
  // As an older receiver left it, which gave a second receipt.
  for (const path of [archive(store, 'ep-1'), sidecar(store, 'ep-1')]) unlinkSync(path)
  await store.put('ep-1')
  const given = readFileSync(sidecar(store, 'ep-1'), 'utf8')
  expect(await kinds(store)).toEqual(['duplicate-row', 'sidecar-differs'])
  expect((await repair(store)).lost).toEqual([])
  expect([await kinds(store), readFileSync(sidecar(store, 'ep-1'), 'utf8')]).toEqual([[], given])
  expect(places(store)).toEqual([1, 2, 3].map((n) => [`ep-${n}`, n]))
})

test('who follows the index starts over after a repair, and sees each row once', async () => {
  const store = await threeEpisodes()
  const seen: string[] = []
  const sink: Sink = {
    restart: () => void seen.splice(0),
    take: (bytes, end) => eachLine(bytes, end, (from, to) => void seen.push(String(rowIn(bytes, from, to)?.['id']))),
  }
  const cursor = await follow(store.layout.index, undefined, false, sink)
  unlinkSync(archive(store, 'ep-1'))
  await repair(store)
  await store.put('ep-4')
  await follow(store.layout.index, cursor, false, sink)
  expect(seen).toEqual(['ep-2', 'ep-3', 'ep-4'])
})

test('an archive that was written to after its receipt is read by a repair, without --verify-hashes', async () => {
  const store = await threeEpisodes()
  const received = Date.parse((JSON.parse(readFileSync(sidecar(store), 'utf8')) as Receipt).received_at)
  flip(archive(store), 30)
  expect(statSync(archive(store)).mtimeMs).toBeGreaterThan(received)
  expect((await repair(store)).lost).toMatchObject([{ id: 'ep-2' }])
})

test('a rebuild keeps the row that is the only good receipt, and a repair writes the receipt from it', async () => {
  for (const damage of [(path: string) => writeFileSync(path, '\0\0\0'), (path: string) => unlinkSync(path)]) {
    const store = await threeEpisodes()
    // Without a meta.json that can be read nothing but the row says what it is.
    const bytes = Buffer.from('no archive of ours')
    const receipt = await store.putBytes('ep-4', bytes)
    const was = readFileSync(sidecar(store, 'ep-4'), 'utf8')
    damage(sidecar(store, 'ep-4'))
    const run = await store.run('fsck', '--rebuild-index', '--repair', '--json')
    expect([run.code, printed(run)['rebuilt']]).toMatchObject([0, { rows: 4 }])
    expect([await readLosses(store.layout), await kinds(store)]).toEqual([[], []])
    expect(readFileSync(sidecar(store, 'ep-4'), 'utf8')).toBe(was)
    expect(store.rows().find(({ id }) => id === 'ep-4')).toMatchObject({ sha256: receipt.sha256 })
  }
})

test('a rebuild forgets no promise: a row whose archive is gone is a loss afterwards, with or without its receipt', async () => {
  const store = await threeEpisodes()
  for (const id of ['ep-1', 'ep-2']) unlinkSync(archive(store, id))
  unlinkSync(sidecar(store, 'ep-2'))
  expect((await store.run('fsck', '--rebuild-index')).code).toBe(1)
  const { lost } = await repair(store)
  expect(lost.map(({ id, sha256 }) => [id, typeof sha256])).toEqual([
    ['ep-1', 'string'],
    ['ep-2', 'string'],
  ])
  expect([await kinds(store), places(store)]).toEqual([[], [['ep-3', 1]]])
})

test('a rebuild does not believe a row that was edited and has no archive', async () => {
  const store = await threeEpisodes()
  writeFileSync(store.layout.index, store.indexText().replace('"id":"ep-2"', '"id":"ep-9"'))
  expect((await store.run('fsck', '--rebuild-index')).code).toBe(0)
  expect(places(store)).toEqual([1, 2, 3].map((n) => [`ep-${n}`, n]))
})

test('a rebuild keeps the rows of an older receiver that name an archive of this store', async () => {
  const store = new TestStore()
  const { sha256 } = await store.put('ep-1', false)
  unlinkSync(sidecar(store, 'ep-1'))
  const older = JSON.stringify({ id: 'ep-1', host: 'lab-07', sha256 })
  writeFileSync(store.layout.index, `${older}\n{"id":"old-1","sha256":"00"}\n`)
  await store.run('fsck', '--rebuild-index')
  expect(store.indexText()).toBe(`${older}\n`)
})

test('no repair runs beside a prune: its row would come between the look and the verdict, and be a loss', async () => {
  const store = await threeEpisodes()
  unlinkSync(archive(store))
  const before = store.indexText()
  {
    using _prune = lockPrunes(store.layout)
    for (const option of ['--repair', '--rebuild-index']) {
      const run = await store.run('fsck', option)
      expect([run.code, run.stderr]).toEqual([3, expect.stringContaining('prune')])
    }
  }
  expect([store.indexText(), await readLosses(store.layout)]).toEqual([before, []])
})

test('a repair that holds the lock of the prunes itself cuts their torn row off', async () => {
  const store = await threeEpisodes()
  writeFileSync(store.layout.prunes, '{"at":')
  expect((await store.run('fsck', '--repair')).code).toBe(0)
  expect(readFileSync(store.layout.prunes, 'utf8')).toBe('')
})

test('a link to nowhere with the name of an archive does not end the repair', async () => {
  const store = await threeEpisodes()
  symlinkSync('/nowhere', join(store.layout.episodes, 'ep-9.tar.zst'))
  expect((await repair(store)).lost).toEqual([])
  expect([await kinds(store), readdirSync(join(store.layout.quarantine, 'strangers'))]).toMatchObject([
    [],
    [expect.stringMatching(/^ep-9/)],
  ])
})

const editRow = (store: TestStore, at: number, edit: (line: string) => string) =>
  writeFileSync(
    store.layout.index,
    `${lines(store)
      .map((line, k) => (k === at ? edit(line) : line))
      .join('\n')}\n`,
  )

test('the bytes in a row edited and its receipt gone: the hash is right, so the archive stays and the row is mended', async () => {
  const store = await threeEpisodes()
  const was = readFileSync(sidecar(store), 'utf8')
  unlinkSync(sidecar(store))
  editRow(store, 1, (line) => line.replace('"bytes":', '"bytes":7'))
  expect((await repair(store)).lost).toEqual([])
  expect([await readLosses(store.layout), await kinds(store), readFileSync(sidecar(store), 'utf8')]).toEqual([[], [], was])
})

test.each([
  ['in the middle', 1, 'ep-2'],
  ['at the end, where no row vouches for it', 2, 'ep-3'],
])('the sha256 in a row edited and its receipt gone: %s the archive is believed, and not the row', async (_, at, id) => {
  const store = await threeEpisodes()
  const { sha256 } = JSON.parse(readFileSync(sidecar(store, id), 'utf8')) as Receipt
  unlinkSync(sidecar(store, id))
  editRow(store, at, (line) => line.replace(/"sha256":"......../, '"sha256":"badbadba'))
  expect((await repair(store)).lost).toEqual([])
  expect([await readLosses(store.layout), await kinds(store)]).toEqual([[], []])
  expect(store.rows()[at]).toMatchObject({ id, sha256, backfilled: true })
})

test('the id in a row edited: no loss is invented for a name that never was', async () => {
  for (const [at, id] of [
    [1, 'ep-2'],
    [2, 'ep-3'],
  ] as const)
    for (const receiptGone of [false, true]) {
      const store = await threeEpisodes()
      if (receiptGone) unlinkSync(sidecar(store, id))
      editRow(store, at, (line) => line.replace(id, 'ep-X'))
      expect((await repair(store)).lost, id).toEqual([])
      expect([await readLosses(store.layout), await kinds(store)], id).toEqual([[], []])
      expect(
        store
          .rows()
          .map((row) => row['id'])
          .sort(),
      ).toEqual(['ep-1', 'ep-2', 'ep-3'])
    }
})

test('the id in the last row edited, and the receiver started before the repair: still no loss is invented', async () => {
  const store = await threeEpisodes()
  editRow(store, 2, (line) => line.replace('ep-3', 'ep-X'))
  await using index = await IndexLog.open(store.layout.index)
  await recover(store.layout, index)
  expect(await kinds(store)).toEqual(['misnamed-row'])
  expect((await repair(store)).lost).toEqual([])
  expect(await kinds(store)).toEqual([])
})

test('a rebuild in front of a repair vouches for no row that was edited', async () => {
  for (const edit of [
    (line: string) => line.replace('"bytes":', '"bytes":7'),
    (line: string) => line.replace(/"sha256":"......../, '"sha256":"badbadba'),
    (line: string) => line.replace('ep-2', 'ep-X'),
  ]) {
    const store = await threeEpisodes()
    unlinkSync(sidecar(store))
    editRow(store, 1, edit)
    await rebuildIndex(store.layout)
    expect((await repair(store)).lost).toEqual([])
    expect([await readLosses(store.layout), await kinds(store)]).toEqual([[], []])
  }
})

test('an archive with other bytes than a row says that was not edited is a loss, also without its receipt', async () => {
  const store = await threeEpisodes()
  unlinkSync(sidecar(store))
  flip(archive(store), readFileSync(archive(store)).length - 20)
  expect((await repair(store)).lost).toMatchObject([{ id: 'ep-2', reason: 'wrong-hash' }])
})

test('a row that was edited does not make good what does not unpack', async () => {
  const store = await threeEpisodes()
  unlinkSync(sidecar(store))
  truncateSync(archive(store), readFileSync(archive(store)).length - 20)
  editRow(store, 1, (line) => line.replace('"received_at":"2', '"received_at":"1'))
  expect((await repair(store)).lost).toMatchObject([{ id: 'ep-2', reason: 'wrong-size' }])
})
