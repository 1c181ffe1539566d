/** The quick look at a small archive against the walk, on archives of every kind. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { decode } from '../../../packages/receiver/src/archive/decode.ts'
import { NotZstd } from '../../../packages/receiver/src/archive/frames.ts'
import { type Inspection, Walk } from '../../../packages/receiver/src/archive/inspect.ts'
import { inspectSmallHead, loadDecoder } from '../../../packages/receiver/src/archive/small-head.ts'
import { type Entry, episode, metaText, skippableFrame, tarOf } from '../../support/archives.ts'
import { scratchDir } from '../../support/scratch.ts'

const id = EpisodeId.parse('ep-1')
const commit = '0123456789abcdef0123456789abcdef01234567'
const expected = { id, host: HostName.parse('lab-07'), stamp: commit }

beforeAll(loadDecoder)

async function walked(path: string, bytes: Buffer): Promise<Inspection> {
  writeFileSync(path, bytes)
  try {
    return await new Walk(expected, 'head').run(decode(path), bytes.length)
  } catch (error) {
    if (error instanceof NotZstd) return { fault: error.message }
    throw error
  }
}

const name = fc.constantFrom(
  'ep-1/meta.json',
  'meta.json',
  './meta.json',
  'ep-1/x',
  'ep-1/',
  '/abs',
  'ep-1/../../y',
  'z'.repeat(120),
)
const body = fc.constantFrom(
  metaText(id, commit),
  metaText(id, commit, { host: 'LAB-07', code_version: { commit, dirty: true } }),
  metaText('other', commit),
  metaText(id, 'f'.repeat(40)),
  '{}',
  '',
  'x'.repeat(3000),
)
const entry: fc.Arbitrary<Entry> = fc
  .record({
    path: name,
    type: fc.constantFrom(
      'File' as const,
      'File' as const,
      'Directory' as const,
      'SymbolicLink' as const,
      'Link' as const,
      'FIFO' as const,
    ),
    body,
    linkpath: fc.constantFrom('', 'a', '../../out', '/etc'),
  })
  .map(({ path, type, body, linkpath }) =>
    type === 'File' || type === 'Directory' ? { path, type, body: type === 'File' ? body : '' } : { path, type, linkpath },
  )
const meta: Entry = { path: 'ep-1/meta.json', body: metaText(id, commit) }
const entries = fc
  .tuple(fc.boolean(), fc.array(fc.oneof(entry, fc.constant({ path: 'ep-1/y', body: 'y' })), { maxLength: 3 }))
  .map(([first, rest]) => (first ? [meta, ...rest] : rest))

/** One time in six. */
function seldom(most: number): fc.Arbitrary<number | undefined> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(most) })
}

/** One archive, in one or two frames, whole or damaged. */
const archive = fc
  .record({
    entries,
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
    frames: fc.constantFrom('one', 'one', 'two', 'skippable'),
    flip: seldom(400),
    short: seldom(40),
  })
  .map(({ entries, cut, frames, flip, short }) => {
    const tar = tarOf(entries)
    const at = Math.floor(cut * tar.length)
    const parts = frames === 'two' ? [tar.subarray(0, at), tar.subarray(at)] : [tar]
    const whole = Buffer.concat([
      ...(frames === 'skippable' ? [skippableFrame('x')] : []),
      ...parts.map((p) => zstdCompressSync(p)),
    ])
    if (flip !== undefined && flip < whole.length) whole[flip] = (whole[flip] as number) ^ 0x55
    return short === undefined ? whole : whole.subarray(0, Math.max(0, whole.length - short))
  })

/** Both judge alike whatever the quick look takes, and it takes some. */
async function agreeOn(archives: fc.Arbitrary<Buffer>): Promise<void> {
  const path = join(scratchDir(), 'a.tar.zst')
  let taken = 0
  await fc.assert(
    fc.asyncProperty(archives, async (bytes) => {
      const quick = inspectSmallHead([bytes], expected)
      if (!quick) return
      taken += 1
      expect(quick).toEqual(await walked(path, bytes))
    }),
    { numRuns: 300 },
  )
  expect(taken).toBeGreaterThan(20)
}

test('whatever the quick look takes for an episode, the walk takes for the same', async () => {
  await agreeOn(archive)
})

/** One raw block behind a header of any kind, which tells the truth of its content or not. */
const handmade = fc
  .record({
    descriptor: fc.oneof(fc.constantFrom(0x00, 0x20, 0x60, 0xa0, 0xe0, 0x80, 0xc0), fc.nat(255)),
    window: fc.oneof(fc.constantFrom(0x00, 0x40, 0x88, 0x90, 0xf8), fc.nat(255)),
    off: fc.constantFrom(0, 0, 0, 0, -1, 1, 2 ** 20, 2 ** 32, 2 ** 40),
  })
  .map(({ descriptor, window, off }) => {
    const tar = tarOf([meta])
    const single = (descriptor & 0x20) !== 0
    const flag = descriptor >> 6
    const size = Buffer.alloc(flag === 0 ? (single ? 1 : 0) : 1 << flag)
    let told = tar.length + off - (size.length === 2 ? 256 : 0)
    for (let k = 0; k < size.length; k++, told = Math.floor(told / 256)) size[k] = told % 256
    const block = Buffer.alloc(3)
    block.writeUIntLE((tar.length << 3) | 1, 0, 3)
    const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor])
    const dictionary = Buffer.alloc([0, 1, 2, 4][descriptor & 3] as number)
    return Buffer.concat([magic, Buffer.from(single ? [] : [window]), dictionary, size, block, tar])
  })

test('whatever the header of a frame says, the quick look and the walk take it for the same', async () => {
  await agreeOn(handmade)
  expect(inspectSmallHead([episode(id, commit, Buffer.alloc(60_000, 'abc'))], expected)).toEqual({ commit, schemaVersion: '1' })
})

test('the archive of an agent is taken without the walk', () => {
  expect(inspectSmallHead([episode(id, commit, Buffer.alloc(60_000, 'abc'))], expected)).toEqual({ commit, schemaVersion: '1' })
})

test('an owner that is no number is left to the walk, which refuses the archive; once it was a fault of ours', async () => {
  const tar = tarOf([meta])
  tar.fill(0x9c, 108, 116)
  tar.fill(0x20, 148, 156)
  const sum = tar.subarray(0, 512).reduce((all, byte) => all + byte, 0)
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  const bytes = zstdCompressSync(tar)
  expect(inspectSmallHead([bytes], expected)).toBeUndefined()
  expect((await walked(join(scratchDir(), 'a.tar.zst'), bytes)).fault).toMatch(/not a valid tar/)
})

test('a small archive that holds a mountain is left to the walk', () => {
  expect(inspectSmallHead([episode(id, commit, Buffer.alloc(8 << 20))], expected)).toBeUndefined()
})
