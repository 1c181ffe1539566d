import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { compress } from '@mongodb-js/zstd'
import { Parser } from 'tar'
import { expect, onTestFinished, test } from 'vitest'
import { staysInside } from '../../../packages/agent/src/core/link-target.ts'
import { readArchiveMeta } from '../../../packages/agent/src/episodes/archive-head.ts'
import { EpisodeChanged, PackRefused } from '../../../packages/agent/src/episodes/faults.ts'
import { packEpisode } from '../../../packages/agent/src/episodes/pack.ts'
import { padding, tarHeader } from '../../../packages/agent/src/episodes/tar-header.ts'
import { walkTree } from '../../../packages/agent/src/episodes/tree.ts'

const id = EpisodeId.parse('ep-1')

function makeFolder(): { root: string; folder: string } {
  const root = mkdtempSync(join(tmpdir(), 'cis490-pack-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const folder = join(root, 'episodes', id)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'meta.json'), JSON.stringify({ episode_id: id }))
  return { root, folder }
}

/** All that an episode can hold; every time is fixed, so that two of them differ in nothing that counts. */
function makeRichEpisode(): { root: string; folder: string } {
  const { root, folder } = makeFolder()
  const long = 'd'.repeat(120)
  const files: Record<string, string | Buffer> = {
    'a.txt': 'a dot sorts before a slash',
    'a/inner': 'x'.repeat(513),
    'empty-file': '',
    'Größe-日本 🎥.csv': 'unicode',
    'with\nnewline and "quotes"': 'odd',
    [`${long}.bin`]: 'long name',
    [`${long}/${long}/${long}/deep`]: 'long path',
    [`${'ü'.repeat(100)}/file`]: 'long in bytes, short in characters',
    'big.bin': Buffer.from(Array.from({ length: 3 << 20 }, (_, k) => (k * k) >> 7)),
    'exact-block.bin': Buffer.alloc(1 << 20, 7),
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  const notUtf8 = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x6e, 0xff, 0xfe])])
  writeFileSync(notUtf8, 'a name that is no UTF-8')
  utimesSync(notUtf8, 5, 5)
  mkdirSync(join(folder, 'empty-folder'))
  linkSync(join(folder, 'a.txt'), join(folder, 'hard-link'))
  symlinkSync('../a.txt', join(folder, 'a/up-and-in'))
  symlinkSync(`${long}/${long}/${long}/deep`, join(folder, 'long-link'))
  symlinkSync('nowhere-yet', join(folder, 'dangling'))
  chmodSync(join(folder, 'a.txt'), 0o750)
  chmodSync(join(folder, 'empty-folder'), 0o700)
  setTimes(folder)
  return { root, folder }
}

function setTimes(folder: string): void {
  for (const path of listTree(folder).reverse()) {
    const seconds = 1_700_000_000 + (path.length % 50) + (path.includes('a') ? 0.25 : 0)
    lutimesSync(join(folder, path), seconds, seconds)
  }
}

function listTree(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name)
    if (path.includes('\ufffd')) return []
    return entry.isDirectory() ? [path, ...listTree(folder, path)] : [path]
  })
}

function describeTree(folder: string): Record<string, unknown> {
  return Object.fromEntries(
    listTree(folder).map((path) => {
      const stat = lstatSync(join(folder, path), { bigint: true })
      const content = stat.isFile() ? readFileSync(join(folder, path)).toString('base64') : ''
      const target = stat.isSymbolicLink() ? readlinkSync(join(folder, path)) : ''
      return [path, { mode: stat.mode, mtime: stat.mtimeNs, content, target }]
    }),
  )
}

async function pack(root: string, name: string, onProgress?: (done: number, total: number) => void) {
  const episodesDir = join(root, 'episodes')
  const partPath = join(root, name)
  const archive = await packEpisode({ episodesDir, id, tree: await walkTree(join(episodesDir, id)), partPath, onProgress })
  return { ...archive, path: partPath }
}

test('the same tree gives the same bytes, in another folder and made in another order too', async () => {
  const one = makeRichEpisode()
  const two = makeRichEpisode()
  const first = await pack(one.root, 'x.part')
  const again = await pack(one.root, 'y.part')
  const other = await pack(two.root, 'x.part')
  expect(again.sha256).toBe(first.sha256)
  expect(other.sha256).toBe(first.sha256)
  expect(execFileSync('sha256sum', [first.path], { encoding: 'utf8' })).toContain(first.sha256)
  expect(lstatSync(first.path).size).toBe(first.bytes)
  utimesSync(join(one.folder, 'a.txt'), 1, 1)
  expect((await pack(one.root, 'z.part')).sha256).not.toBe(first.sha256)
})

test('zstd and tar take the archive and give back the tree with names, contents, modes, times and links', async () => {
  const { root, folder } = makeRichEpisode()
  const { path } = await pack(root, 'x.tar.zst')
  execFileSync('zstd', ['-tq', path])
  const out = join(root, 'out')
  mkdirSync(out)
  execFileSync('tar', ['--zstd', '-xpf', path, '-C', out])
  expect(describeTree(join(out, id))).toEqual(describeTree(folder))
  expect(readdirSync(join(out, id), { encoding: 'buffer' }).some((name) => name.includes(0xff))).toBe(true)
  expect(lstatSync(join(out, id, 'hard-link')).nlink).toBe(1)
})

test('meta.json comes first, everything else below the id follows in byte order', async () => {
  const { root } = makeRichEpisode()
  const { path } = await pack(root, 'x.tar.zst')
  const names: Buffer[] = []
  const parser = new Parser()
  parser.on('entry', (entry) => {
    names.push(Buffer.from(entry.path))
    entry.resume()
  })
  parser.end(execFileSync('zstd', ['-dcq', path], { maxBuffer: 64 << 20 }))
  const rest = names.slice(1)
  expect(String(names[0])).toBe('ep-1/meta.json')
  expect(rest).toHaveLength(21)
  expect(rest.map(String)).toEqual(rest.toSorted(Buffer.compare).map(String))
  expect(rest.filter((name) => !/^ep-1\/./.test(String(name)))).toEqual([])
})

test('progress counts the bytes of the files up to their sum', async () => {
  const { root } = makeRichEpisode()
  const seen: [number, number][] = []
  await pack(root, 'x.part', (done, total) => seen.push([done, total]))
  const last = seen.at(-1) as [number, number]
  expect(last[0]).toBe(last[1])
  expect(seen.length).toBeGreaterThan(3)
  expect(seen.every(([done], k) => k === 0 || done >= (seen[k - 1]?.[0] as number))).toBe(true)
})

test.each([
  ['a FIFO', 'sub/pipe', 'fifo', (path: string): unknown => execFileSync('mkfifo', [path])],
  ['an absolute link', 'sub/abs', 'link-outside', (path: string) => symlinkSync('/etc/hostname', path)],
  ['a link that climbs out', 'sub/up', 'link-outside', (path: string) => symlinkSync('../../x', path)],
  [
    'a link that climbs out of the archive and back in',
    'sub/again',
    'link-outside',
    (path: string) => symlinkSync('../../ep-1/meta.json', path),
  ],
] as const)('%s is refused with its path and leaves no part', async (_what, path, reason, make) => {
  const { root, folder } = makeFolder()
  mkdirSync(join(folder, 'sub'))
  make(join(folder, path))
  const refusal = await pack(root, 'x.part').catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(PackRefused)
  expect(refusal).toMatchObject({ path, reason })
  expect(existsSync(join(root, 'x.part'))).toBe(false)
})

test('a socket is refused with its path', async () => {
  const { root, folder } = makeFolder()
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(join(folder, 'control.sock'), resolve))
  onTestFinished(() => void server.close())
  await expect(pack(root, 'x.part')).rejects.toMatchObject({ path: 'control.sock', reason: 'socket' })
})

test('a link that leads outside only by way of another link is refused', () => {
  const links = new Map([['p/q/s', '../..']])
  expect(staysInside('p/q/t', 's/../x', new Map())).toBe(true)
  expect(staysInside('p/q/t', 's/../x', links)).toBe(false)
  expect(staysInside('p/q/t', 's/x', links)).toBe(true)
  expect(staysInside('loop', 'loop/x', new Map([['loop', 'loop']]))).toBe(false)
})

test.each([
  ['grows', (path: string) => writeFileSync(path, 'more', { flag: 'a' })],
  ['shrinks', (path: string) => writeFileSync(path, '')],
  ['vanishes', (path: string) => rmSync(path)],
])('a file that %s during the pack means that the episode is not finished', async (_what, change) => {
  const { root, folder } = makeFolder()
  writeFileSync(join(folder, 'a-big'), Buffer.alloc(5 << 20))
  writeFileSync(join(folder, 'z-last'), 'last')
  let changed = false
  const packing = pack(root, 'x.part', () => {
    if (!changed) change(join(folder, 'z-last'))
    changed = true
  })
  await expect(packing).rejects.toBeInstanceOf(EpisodeChanged)
  expect(existsSync(join(root, 'x.part'))).toBe(false)
})

test('a file that changes after it was read is noticed as well', async () => {
  const { root, folder } = makeFolder()
  writeFileSync(join(folder, 'a-first'), 'first')
  writeFileSync(join(folder, 'b-big'), Buffer.alloc(5 << 20))
  const packing = pack(root, 'x.part', (done) => {
    if (done > 1 << 20) writeFileSync(join(folder, 'a-first'), 'FIRST')
  })
  await expect(packing).rejects.toBeInstanceOf(EpisodeChanged)
})

test('tar reads the size of a file of more than 8 GiB', () => {
  const size = 9 * 2 ** 30 + 5
  const head = tarHeader({ name: 'ep-1/huge', type: 'file', mode: 0o644, size, mtime_ns: 1n }, 'ep-1')
  expect(spawnSync('tar', ['-tvf', '-'], { input: head, encoding: 'utf8' }).stdout).toContain(` ${size} `)
  expect(padding(size)).toBe(507)
})

test('an archive that cannot be read now has no answer, not an empty one: it may have a stamp', async () => {
  const { root } = makeFolder()
  await expect(readArchiveMeta(join(root, 'not-there.tar.zst'))).rejects.toThrow('ENOENT')
})

test('the stamp is read back from an archive, and a damaged archive has none', async () => {
  const { root, folder } = makeFolder()
  writeFileSync(join(folder, 'big'), Buffer.alloc(3 << 20, 'noise'))
  const { path } = await pack(root, 'x.tar.zst')
  expect(await readArchiveMeta(path)).toEqual({ episode_id: id })
  const tar = execFileSync('zstd', ['-dcq', path], { maxBuffer: 64 << 20 })
  const header = tar[156] === 'x'.charCodeAt(0) ? 1536 : 512
  const damaged = {
    'cut in the middle of meta.json': await compress(tar.subarray(0, header + 5)),
    'cut in the middle of a frame': readFileSync(path).subarray(0, 60),
    'no tar': await compress(Buffer.alloc(5000, 'x')),
    'no zstd': Buffer.alloc(5000, 'x'),
    empty: Buffer.alloc(0),
  }
  for (const [what, bytes] of Object.entries(damaged)) {
    writeFileSync(path, bytes)
    expect([what, await readArchiveMeta(path)]).toEqual([what, undefined])
  }
})
