/** `cis490-agent show`: the entries of an archive, and one file of it without unpacking the rest. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { readBlockHeader, readFrameHeader } from '@cis490/shared/zstd-frame.ts'
import { expect, test } from 'vitest'
import { ArchiveReader, ArchiveUnreadable } from '../../../packages/agent/src/episodes/archive-reader.ts'
import { packEpisode } from '../../../packages/agent/src/episodes/pack.ts'
import { tarEntries } from '../../../packages/agent/src/episodes/tar-entries.ts'
import { shownPath, walkTree } from '../../../packages/agent/src/episodes/tree.ts'
import { makeAgentHome } from '../../support/agent-home.ts'
import { runToEnd } from '../../support/program.ts'

const id = EpisodeId.parse('ep-1')
const lines = (count: number) => Array.from({ length: count }, (_, k) => `{"n":${k},"x":${(k * 7919) % 9973}}\n`).join('')

async function packed(files: Record<string, string | Buffer>) {
  const home = makeAgentHome()
  const folder = join(home.episodes, id)
  mkdirSync(join(folder, 'sub'), { recursive: true })
  mkdirSync(home.outbox)
  writeFileSync(join(folder, 'meta.json'), JSON.stringify({ episode_id: id }))
  for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, path), content)
  symlinkSync('../meta.json', join(folder, 'sub', 'link'))
  const archive = join(home.outbox, `${id}.tar.zst`)
  await packEpisode({ episodesDir: home.episodes, id, tree: await walkTree(folder), partPath: archive })
  const show = (...args: string[]) => runToEnd('agent', ['show', ...args, '--config', home.config])
  return { home, folder, archive, show }
}

function readFile(path: string, name: string): Buffer {
  using archive = new ArchiveReader(path)
  const entry = tarEntries(archive).find((one) => one.name === `${id}/${name}`)
  if (!entry) throw new Error(`no ${name}`)
  return archive.readExactly(entry.at, entry.size)
}

test('lists what an archive holds, as tar does, and gives each file back', async () => {
  const files = {
    'with\nnewline': 'odd',
    [`${'long-'.repeat(45)}name`]: 'long name',
    'Größe-日本.csv': 'unicode',
    [`${'ü'.repeat(60)}\n${'ü'.repeat(60)}`]: 'a newline in an extended header',
    empty: '',
    'over-borders': lines(150_000),
    'sub/after': 'end',
  }
  const { archive, folder } = await packed(files)
  using reader = new ArchiveReader(archive)
  const entries = [...tarEntries(reader)]
  const listed = execFileSync('tar', ['--zstd', '--quoting-style=literal', '--null', '-tf', archive], { encoding: 'utf8' })
  expect(`${entries.map(({ name }) => shownPath(name)).join('\n')}\n`).toBe(listed)
  for (const [path, content] of Object.entries(files)) {
    const entry = entries.find(({ name }) => shownPath(name) === `${id}/${path}`)
    expect([path, entry && reader.readExactly(entry.at, entry.size).toString()]).toEqual([path, content])
  }
  expect(entries.find(({ name }) => name === `${id}/sub/link`)).toMatchObject({ type: 'link', target: '../meta.json', size: 0 })
  expect(readFile(archive, 'meta.json')).toEqual(readFileSync(join(folder, 'meta.json')))
})

/** Overwrites the blocks of a frame and leaves their headers, so that it can be stepped over but not decoded. */
function spoilFrames(path: string, spoil: (frame: number) => boolean): number {
  const bytes = readFileSync(path)
  let frames = 0
  for (let at = 0; at < bytes.length; frames++) {
    const header = readFrameHeader(bytes.subarray(at))
    at += header?.length ?? Number.NaN
    for (let last = false; !last; ) {
      const block = readBlockHeader(bytes.subarray(at))
      if (!block) throw new Error('no block')
      if (spoil(frames)) bytes.fill(0xff, at + 3, at + 3 + block.length)
      at += 3 + block.length
      last = block.last
    }
  }
  writeFileSync(path, bytes)
  return frames
}

test('only the frames that hold headers and the file itself are decoded', async () => {
  const { archive, show } = await packed({ big: lines(400_000), 'z-last': lines(10_000) })
  const frames = spoilFrames(archive, (frame) => frame >= 2 && frame <= 4)
  expect(frames).toBeGreaterThanOrEqual(7)
  expect(readFile(archive, 'z-last').toString()).toBe(lines(10_000))
  const { code, stdout } = await show(id, '--file', 'z-last')
  expect([code, stdout === lines(10_000)]).toEqual([0, true])
  expect(() => readFile(archive, 'big')).toThrow(ArchiveUnreadable)
  const damaged = await show(id, '--file', 'big')
  expect(damaged.code).toBe(3)
  expect(damaged.stderr).toMatch(/^cis490-agent: cannot read .*ep-1\.tar\.zst: the frame at byte \d+ is damaged\n$/)
})

test.each([
  ['is cut off', (path: string) => truncateSync(path, 60), /cut off after 60 bytes/],
  ['is empty', (path: string) => truncateSync(path, 0), /ends too early/],
  ['is no zstd', (path: string) => writeFileSync(path, 'x'.repeat(2000)), /no zstd frame at byte 0/],
  [
    'holds no tar',
    (path: string) => execFileSync('zstd', ['-qf', '-o', path, '-'], { input: 'x'.repeat(2000) }),
    /no tar header at byte 0/,
  ],
  [
    'was packed by tar itself',
    (path: string) => {
      writeFileSync(join(path, '..', 'big'), lines(100_000))
      execFileSync('tar', ['--zstd', '-cf', path, '-C', join(path, '..'), 'big'])
    },
    /not those of cis490-agent; read it with tar --zstd -tvf/,
  ],
])('an archive that %s is told', async (_what, spoil, message) => {
  const { archive } = await packed({ data: 'x' })
  spoil(archive)
  expect(() => readFile(archive, 'data')).toThrow(ArchiveUnreadable)
  expect(() => readFile(archive, 'data')).toThrow(message)
})

test('the command lists for people and for programs, and prints one file as it is', async () => {
  const { archive, show } = await packed({ 'data.bin': Buffer.from([0x41, 0x0a, 0x42]) })
  const [json, plain, file] = await Promise.all([show(id, '--json'), show(id), show(id, '--file', `${id}/data.bin`)])
  const listed = JSON.parse(json.stdout) as { entries: { path: string; type: string; bytes?: number; target?: string }[] }
  expect(listed).toMatchObject({ id, archive })
  expect(listed.entries.map(({ path, type, bytes, target }) => [path, type, bytes, target])).toEqual([
    ['meta.json', 'file', 21, undefined],
    ['data.bin', 'file', 3, undefined],
    ['sub/', 'folder', undefined, undefined],
    ['sub/link', 'link', undefined, '../meta.json'],
  ])
  expect(plain.stdout.split('\n')[3]).toMatch(/^\d{4} {2}20\S+Z {2} +link {2}sub\/link -> \.\.\/meta\.json$/)
  expect([json.code, plain.code, file]).toMatchObject([0, 0, { code: 0, stdout: 'A\nB', stderr: '' }])
})

test('what is not there is told in a line', async () => {
  const { show } = await packed({ 'telemetry.jsonl': 'x' })
  const answers = await Promise.all([
    show(id, '--file', 'telemetry.json'),
    show(id, '--file', 'sub'),
    show('ep-2'),
    show('../etc'),
    show(id, '--file', 'x', '--json'),
  ])
  expect(answers.map(({ code, stderr }) => [code, stderr])).toEqual([
    [1, expect.stringMatching(/ep-1 holds no file "telemetry\.json"; did you mean telemetry\.jsonl\?/)],
    [1, expect.stringMatching(/"sub\/" is a folder; --file takes a plain file\n$/)],
    [1, expect.stringMatching(/ep-2 has no archive in the outbox: "cis490-agent outbox list" shows what waits/)],
    [2, expect.stringMatching(/"\.\.\/etc" is no episode id/)],
    [2, expect.stringMatching(/give one of them\n$/)],
  ])
})
