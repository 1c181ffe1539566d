import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fsck } from '../../../packages/receiver/src/store/fsck.ts'
import { Program } from '../../support/program.ts'
import { printed, TestStore } from '../../support/store.ts'

async function threeEpisodes(): Promise<TestStore> {
  const store = new TestStore()
  for (const id of ['ep-1', 'ep-2', 'ep-3']) await store.put(id)
  return store
}

async function kinds(store: TestStore, verifyHashes = true): Promise<string[]> {
  const { findings } = await fsck(store.layout, { verifyHashes })
  return findings.map(({ kind }) => kind).sort()
}

const flip = (path: string, at: number) => {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] as number) ^ 0x80
  writeFileSync(path, bytes)
}
const editIndex = (store: TestStore, edit: (lines: string[]) => string[]) =>
  writeFileSync(store.layout.index, `${edit(store.indexText().trimEnd().split('\n')).join('\n')}\n`)
const archive = (store: TestStore) => store.layout.archive(store.key('ep-2'))
const sidecar = (store: TestStore) => store.layout.sidecar(store.key('ep-2'))

test('a store as uploads leave it is clean', async () => {
  const store = await threeEpisodes()
  expect(await fsck(store.layout, { verifyHashes: true })).toEqual({ rows: 3, archives: 3, findings: [] })
})

test.each<[string, (store: TestStore) => void, string[]]>([
  ['a flipped bit in an archive', (s) => flip(archive(s), 30), ['wrong-hash']],
  ['an archive that is cut off', (s) => truncateSync(archive(s), 40), ['wrong-size']],
  ['an archive that is gone', (s) => unlinkSync(archive(s)), ['row-without-archive', 'sidecar-without-archive']],
  ['a receipt that is gone', (s) => unlinkSync(sidecar(s)), ['archive-without-sidecar']],
  [
    'a receipt with other words',
    (s) => writeFileSync(sidecar(s), readFileSync(sidecar(s), 'utf8').replace('"bytes":', '"dirty":true,"bytes":')),
    ['sidecar-differs'],
  ],
  ['a receipt that is no JSON', (s) => writeFileSync(sidecar(s), '\0\0'), ['sidecar-damaged']],
  [
    'a row that was removed',
    (s) => editIndex(s, ([a, , c]) => [a as string, c as string]),
    ['archive-without-row', 'broken-chain'],
  ],
  [
    'a row that is there twice',
    (s) => editIndex(s, (lines) => [...lines, lines[1] as string]),
    ['broken-chain', 'duplicate-row'],
  ],
  [
    'an edited row',
    (s) =>
      editIndex(s, (lines) => lines.map((line, k) => (k === 1 ? line.replace('"received_at":"2', '"received_at":"1') : line))),
    ['broken-chain', 'sidecar-differs'],
  ],
  [
    'rows in another order',
    (s) => editIndex(s, ([a, b, c]) => [b, a, c] as string[]),
    ['broken-chain', 'broken-chain', 'broken-chain'],
  ],
  ['NULs at the end of the index', (s) => appendFileSync(s.layout.index, '\0'.repeat(4096)), ['torn-tail']],
  ['half a row at the end of the index', (s) => appendFileSync(s.layout.index, '{"id":"ep-'), ['torn-tail']],
  ['a line that is no row', (s) => appendFileSync(s.layout.index, 'a note\n'), ['damaged-row']],
  ['a file that does not belong there', (s) => writeFileSync(join(s.layout.shelf(s.key('ep-2')), 'core'), ''), ['stranger']],
  [
    'a flipped bit in the index',
    (s) => flip(s.layout.index, s.indexText().indexOf('"bytes"') + 2),
    ['broken-chain', 'sidecar-differs'],
  ],
])('%s is found', async (_, damage, expected) => {
  const store = await threeEpisodes()
  damage(store)
  expect(await kinds(store)).toEqual(expected)
})

test('a torn tail is told behind a line that is no UTF-8 any more', async () => {
  const store = await threeEpisodes()
  flip(store.layout.index, store.indexText().indexOf('"bytes"') + 2)
  appendFileSync(store.layout.index, 'ha')
  expect(await kinds(store)).toContain('torn-tail')
})

test('an archive on the wrong shelf is a stranger: nobody would find it', async () => {
  const store = await threeEpisodes()
  const wrong = join(store.layout.episodes, 'lab-07', 'zz')
  mkdirSync(wrong)
  for (const path of [archive(store), sidecar(store)]) renameSync(path, join(wrong, path.split('/').at(-1) as string))
  expect(await kinds(store)).toEqual(['row-without-archive', 'stranger', 'stranger'])
})

test('of open uploads only those count whose two files do not agree', async () => {
  const store = await threeEpisodes()
  const at = '2026-01-01T00:00:00.000Z'
  const state = { host: 'lab-07', id: 'ep-9', sha256: 'a'.repeat(64), length: 9, offset: 4, created_at: at, expires_at: at }
  const gate = { gate: { kind: 'accept' } }
  mkdirSync(store.layout.uploads)
  const write = (name: string, text: string) => writeFileSync(join(store.layout.uploads, name), text)
  const upload = (name: string, part: string, text: string) => {
    write(`${name}.part`, part)
    write(`${name}.json`, text)
  }
  upload('whole', 'four', JSON.stringify({ ...state, ...gate }))
  expect(await kinds(store)).toEqual([])
  upload('short', 'fo', JSON.stringify({ ...state, ...gate }))
  upload('broken', 'four', '{"host":')
  write('alone.part', 'four')
  write('core', '')
  expect(await kinds(store)).toEqual(Array.from({ length: 4 }, () => 'damaged-upload'))
})

test('without --verify-hashes no archive is read', async () => {
  const store = await threeEpisodes()
  flip(archive(store), 30)
  expect(await kinds(store, false)).toEqual([])
})

test('the command says in exit code, text and JSON what it found', async () => {
  const store = await threeEpisodes()
  expect(await store.run('fsck')).toMatchObject({ code: 0, stdout: '3 rows, 3 archives, 0 findings\n' })
  flip(archive(store), 30)
  expect((await store.run('fsck')).code).toBe(0)
  const found = await store.run('fsck', '--verify-hashes', '--json')
  expect(found.code).toBe(1)
  expect(printed(found).findings).toMatchObject([{ kind: 'wrong-hash', at: archive(store).slice(store.layout.root.length + 1) }])
})

test('a store that is not there is not a clean one: 3', async () => {
  const store = new TestStore()
  rmSync(store.layout.root, { recursive: true })
  const run = await store.run('fsck')
  expect([run.code, run.stdout]).toEqual([3, ''])
  expect(run.stderr).toContain(`state_dir: ${store.layout.root} is not there`)
})

test('while the receiver runs, --repair and backfill say to stop it first, and fsck looks all the same', async () => {
  const store = await threeEpisodes()
  await using receiver = new Program('receiver', ['serve', '--config', store.config])
  await receiver.line({ event: 'listening', listener: 'ops' })
  for (const args of [['fsck', '--repair'], ['backfill']] as const) {
    const [command, ...rest] = args
    const run = await store.run(command, ...rest)
    expect([run.code, run.stderr]).toEqual([3, 'cis490-receiver: stop cis490-receiver first: it works in this store\n'])
  }
  expect((await store.run('fsck')).code).toBe(0)
})

test('the command puts what may be lost first, and ends with what to do next', async () => {
  const store = await threeEpisodes()
  writeFileSync(join(store.layout.episodes, 'lab-07', 'hello.txt'), '')
  unlinkSync(archive(store))
  const { stdout } = await store.run('fsck')
  expect(stdout.split('\n')[0]).toMatch(/^row-without-archive: /)
  expect(stdout).toContain('\n  episodes/lab-07/hello.txt\n')
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(
    'next: stop cis490-receiver, then cis490-receiver fsck --repair; up to 1 episode will be written off',
  )
  const repaired = await store.run('fsck', '--repair')
  expect(repaired.stdout).toMatch(/^LOST lab-07\/ep-2: /)
  expect(repaired.stdout).toMatch(/\nwrote the index anew and kept the old one as index\.jsonl\.before-2\S+\n/)
  const explained = await store.run('explain', 'ep-2')
  expect(explained.stdout).toMatch(/send the same bytes again.*the id is free.*quarantine\/lab-07\/ep-2\.json/)
})

test('with --json a fault is a document too', async () => {
  const store = await threeEpisodes()
  rmSync(store.layout.root, { recursive: true })
  const run = await store.run('fsck', '--repair', '--json')
  expect([run.code, JSON.parse(run.stdout)]).toEqual([
    3,
    { error: `state_dir: ${store.layout.root} is not there; see ${store.config}`, exit_code: 3 },
  ])
})

test('a list in which everything is tainted says so', async () => {
  const store = await threeEpisodes()
  expect((await store.run('taint', 'ep-2', '--reason', 'a sensor was loose')).code).toBe(0)
  expect((await store.run('list')).stdout).toMatch(/\n2 episodes, .*, 1 tainted left out\n$/)
})
