import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { afterEach, expect, test, vi } from 'vitest'
import { packEpisode } from '../../../packages/agent/src/episodes/pack.ts'
import { walkTree } from '../../../packages/agent/src/episodes/tree.ts'
import { type Inspection, type InspectMode, inspect } from '../../../packages/receiver/src/archive/inspect.ts'
import { readMeta } from '../../../packages/receiver/src/archive/read-meta.ts'
import { type Entry, episode, metaText, skippableFrame, tarOf } from '../../support/archives.ts'
import { scratchDir } from '../../support/scratch.ts'

const id = EpisodeId.parse('ep-1')
const commit = '0123456789abcdef0123456789abcdef01234567'
const expected = { id, host: HostName.parse('lab-07'), stamp: commit }

function look(path: string, mode: InspectMode): Promise<Inspection> {
  return inspect({ path, bytes: statSync(path).size }, expected, mode)
}

async function lookAt(bytes: Buffer, mode: InspectMode): Promise<Inspection> {
  const path = join(scratchDir(), 'a.tar.zst')
  writeFileSync(path, bytes)
  return await look(path, mode)
}

function recording(): { dir: string; folder: string } {
  const dir = scratchDir()
  const folder = join(dir, id)
  mkdirSync(join(folder, 'sub'), { recursive: true })
  writeFileSync(join(folder, 'meta.json'), metaText(id, commit, { code_version: { commit, dirty: true }, host: 'LAB-07' }))
  writeFileSync(join(folder, 'sub', 'big.bin'), Buffer.from(Array.from({ length: 3 << 20 }, (_, k) => (k * k) >> 7)))
  writeFileSync(join(folder, `${'ü'.repeat(90)}.csv`), '1,2\n')
  symlinkSync('../meta.json', join(folder, 'sub', 'up-and-in'))
  return { dir, folder }
}

afterEach(() => vi.restoreAllMocks())

const modes: InspectMode[] = ['head', 'full']
const told = { dirty: true, commit, schemaVersion: '1' }

test.each(modes)('an archive of the agent is an episode (%s)', async (mode) => {
  const { dir, folder } = recording()
  const partPath = join(dir, 'a.part')
  await packEpisode({ episodesDir: dir, id, tree: await walkTree(folder), partPath })
  expect(await look(partPath, mode)).toEqual(told)
  expect((await readMeta(partPath, id))?.code_version?.commit).toBe(commit)
})

test.each([
  ['with the folder', ['ep-1']],
  ['with meta.json in front', ['ep-1/meta.json', 'ep-1/sub']],
  ['with entries at the root', ['-C', 'ep-1', 'meta.json', 'sub']],
  ['with the dot at the root', ['-C', 'ep-1', '.']],
])('an archive of tar --zstd %s is an episode', async (_, args) => {
  const { dir } = recording()
  const path = join(dir, 'a.tar.zst')
  execFileSync('tar', ['--zstd', '-cf', path, '-C', dir, ...args])
  expect(await look(path, 'full')).toEqual(told)
  expect((await look(path, 'head')).fault).toBeUndefined()
  expect((await readMeta(path, id))?.episode_id).toBe(id)
})

test.each(modes)('frames that decoders step over, and several frames, are taken (%s)', async (mode) => {
  const tar = tarOf([
    { path: 'ep-1/meta.json', body: metaText(id, commit) },
    { path: 'ep-1/x', body: 'x'.repeat(5000) },
  ])
  const frames = [tar.subarray(0, 700), tar.subarray(700, 2000), tar.subarray(2000)].map((part) => zstdCompressSync(part))
  const archive = Buffer.concat([skippableFrame('in front'), skippableFrame(''), ...frames, skippableFrame('behind')])
  expect(await lookAt(archive, mode)).toEqual({ commit, schemaVersion: '1' })
})

const good = episode(id, commit, 'x'.repeat(100_000))
const flipped = Buffer.from(good)
flipped[40] = (flipped[40] as number) ^ 0xff

test.each<[string, Buffer, InspectMode, RegExp]>([
  ['nothing', Buffer.alloc(0), 'head', /is empty/],
  ['a few bytes', Buffer.from('abc'), 'head', /no zstd frame at byte 0/],
  ['text', Buffer.from('this is a text, not an archive'), 'head', /no zstd frame at byte 0/],
  ['a tar that is not compressed', tarOf([{ path: 'ep-1/meta.json', body: '{}' }]), 'head', /no zstd frame at byte 0/],
  ['an archive that is cut off', good.subarray(0, -10), 'head', /is cut off/],
  ['an archive cut after its first bytes', good.subarray(0, 12), 'head', /is cut off/],
  ['an archive with rubbish behind it', Buffer.concat([good, Buffer.from('rubbish!!')]), 'full', /no zstd frame at byte/],
  ['a skippable frame that promises more', skippableFrame('abc').subarray(0, -1), 'head', /skippable frame .* cut off/],
  ['only skippable frames', skippableFrame('abc'), 'head', /not a valid tar/],
  ['zstd of no tar', zstdCompressSync(Buffer.from('x'.repeat(5000))), 'head', /not a valid tar/],
  ['a tar of no entries', zstdCompressSync(Buffer.alloc(10_240)), 'full', /not a valid tar/],
  [
    'a tar that ends inside a file',
    zstdCompressSync(
      tarOf([
        { path: 'ep-1/meta.json', body: metaText(id, commit) },
        { path: 'ep-1/x', body: 'x'.repeat(9000) },
      ]).subarray(0, 4000),
    ),
    'full',
    /not a valid tar/,
  ],
  [
    'a flipped byte',
    flipped,
    'full',
    /cannot be decompressed|is cut off|no zstd frame|reserved block|not a valid tar|meta\.json/,
  ],
  ['no meta.json', zstdCompressSync(tarOf([{ path: 'ep-1/x', body: 'x' }])), 'full', /no meta\.json/],
])('%s is no episode, and the reason is told', async (_, bytes, mode, fault) => {
  expect((await lookAt(bytes, mode)).fault).toMatch(fault)
})

test('in head mode what lies far behind the first entry is not looked at', async () => {
  const meta = { path: 'ep-1/meta.json', body: metaText(id, commit) }
  const far = { path: 'ep-1/big', body: Buffer.alloc(4 << 20, 'x') }
  const archive = zstdCompressSync(tarOf([meta, far, { path: '/etc/passwd', body: 'x' }]))
  expect((await lookAt(archive, 'head')).fault).toBeUndefined()
  expect((await lookAt(archive, 'full')).fault).toMatch(/"\/etc\/passwd" is absolute/)
})

test.each<[string, Entry, RegExp]>([
  ['an absolute name', { path: '/etc/cron.d/x', body: 'x' }, /is absolute/],
  ['a name that leads outside', { path: 'ep-1/../../x', body: 'x' }, /leads outside/],
  ['a name of two dots', { path: '..', type: 'Directory' }, /leads outside/],
  ['an absolute link', { path: 'ep-1/l', type: 'SymbolicLink', linkpath: '/etc' }, /leads outside the episode/],
  ['a link out of the episode', { path: 'ep-1/l', type: 'SymbolicLink', linkpath: '../other' }, /leads outside the episode/],
  ['a link out by a detour', { path: 'ep-1/a/l', type: 'SymbolicLink', linkpath: 'b/../../../x' }, /leads outside the episode/],
  ['a hard link', { path: 'ep-1/h', type: 'Link', linkpath: 'ep-1/meta.json' }, /is a Link/],
  ['a FIFO', { path: 'ep-1/f', type: 'FIFO' }, /is a FIFO/],
  ['a device', { path: 'ep-1/d', type: 'CharacterDevice' }, /is a CharacterDevice/],
])('an archive with %s is refused, in front or behind', async (_, entry, fault) => {
  const meta = { path: 'ep-1/meta.json', body: metaText(id, commit) }
  expect((await lookAt(zstdCompressSync(tarOf([meta, entry])), 'full')).fault).toMatch(fault)
  expect((await lookAt(zstdCompressSync(tarOf([entry, meta])), 'head')).fault).toMatch(fault)
})

test.each([
  ['is no JSON', '{"episode_id":', /not a JSON object/],
  ['is a list', '[]', /not a JSON object/],
  ['names another episode', metaText('ep-2', commit), /not the id of the path/],
  ['names another host', metaText(id, commit, { host: 'lab-08' }), /host in meta\.json is not lab-07/],
  ['has another stamp', metaText(id, 'f'.repeat(40)), /code_version\.commit in meta\.json is not/],
  ['has an id of no form', metaText('../x', commit), /meta\.json: episode_id/],
])('an episode whose meta.json %s is refused in both modes', async (_, text, fault) => {
  const archive = zstdCompressSync(tarOf([{ path: 'ep-1/meta.json', body: text }]))
  for (const mode of modes) expect((await lookAt(archive, mode)).fault).toMatch(fault)
})

test('an archive that the disk could not read was refused as invalid', async () => {
  const path = join(scratchDir(), 'unreadable')
  writeFileSync(path, episode(id, commit))
  await using file = await open(path)
  const { read } = Object.getPrototypeOf(file) as typeof file
  const broken = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', errno: -5, syscall: 'read' })
  // The headers of frames and blocks can be read, what is in them cannot.
  vi.spyOn(Object.getPrototypeOf(file) as typeof file, 'read').mockImplementation(function (
    this: typeof file,
    ...args: unknown[]
  ) {
    return (args[0] as Buffer).length > 18 ? Promise.reject(broken) : Reflect.apply(read, this, args)
  })
  await expect(look(path, 'full')).rejects.toBe(broken)
})

test('nothing is looked at where inspection is off', async () => {
  expect(await lookAt(Buffer.from('anything'), 'off')).toEqual({})
})

test('a window beyond all measure is refused before anything is decoded', async () => {
  const dir = scratchDir()
  const path = join(dir, 'a.tar.zst')
  writeFileSync(join(dir, 'a.tar'), tarOf([{ path: 'ep-1/meta.json', body: metaText(id, commit) }]))
  execFileSync('sh', ['-c', `zstd -q --long=30 --ultra -22 --zstd=wlog=30 < ${dir}/a.tar > ${path}`])
  expect((await look(path, 'head')).fault).toMatch(/a window of \d+ bytes is more than/)
})

test('a bomb of 1 GiB of zeros is walked in little memory', () => {
  const dir = scratchDir()
  const path = join(dir, 'bomb.tar.zst')
  execFileSync('sh', ['-c', `truncate -s 1G ${dir}/zeros && tar -C ${dir} -cf - zeros | zstd -q > ${path} && rm ${dir}/zeros`])
  const module = new URL('../../../packages/receiver/src/archive/inspect.ts', import.meta.url).pathname
  const code = `import { inspect } from ${JSON.stringify(module)}
    const found = await inspect({ path: ${JSON.stringify(path)}, bytes: ${statSync(path).size} }, ${JSON.stringify(expected)}, 'full')
    console.log(JSON.stringify({ fault: found.fault, peak: process.resourceUsage().maxRSS * 1024 }))`
  const run = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', code], { encoding: 'utf8' })
  expect(run.stderr).toBe('')
  const { fault, peak } = JSON.parse(run.stdout) as { fault: string; peak: number }
  expect(fault).toMatch(/expands beyond all measure|no meta\.json/)
  expect(peak).toBeLessThan(400 << 20)
})
