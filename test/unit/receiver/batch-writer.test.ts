/** Whatever the chunks and however little the disk takes at once, the file has their bytes in order, and `written` is its end. */
import { statfsSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchWriter } from '../../../packages/receiver/src/store/batch-writer.ts'
import { scratchDir } from '../../support/scratch.ts'
import { testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'

/** The disk takes so many bytes of a write: a real file, and a real write of fewer bytes. */
function takingLess(file: FileHandle, most: () => number): Pick<FileHandle, 'writev'> {
  return {
    writev: async (buffers: readonly NodeJS.ArrayBufferView[], position?: number) => {
      const all = Buffer.concat(buffers as readonly Buffer[])
      const { bytesWritten } = await file.write(all, 0, Math.min(all.length, most()), position)
      return { bytesWritten, buffers: [...buffers] }
    },
  } as Pick<FileHandle, 'writev'>
}

const fresh = (length: number, seed: number) => Buffer.from(new Uint8Array(length).fill(seed % 251).buffer)

test('all bytes in order, also where writes are short', async () => {
  const folder = scratchDir()
  let files = 0
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 700_000 })), { maxLength: 12 })
  const shorts = fc.array(fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constant(1 << 21)), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(sizes, shorts, fc.nat({ max: 100 }), async (lengths, takes, from) => {
      const path = join(folder, String(files++))
      await using file = await open(path, 'wx+')
      await file.write(Buffer.alloc(from, 7))
      let k = 0
      const most = () => (k < 40 ? (takes[k++ % takes.length] as number) : 1 << 21)
      const ends: number[] = []
      const writer = new BatchWriter(takingLess(file, most) as FileHandle, from, (written) => ends.push(written))
      const chunks = lengths.map((length, n) => fresh(length, n + 1))
      const whole = Buffer.concat([Buffer.alloc(from, 7), ...chunks])
      for (const chunk of chunks) await writer.take(chunk)
      expect(await writer.flush()).toBeUndefined()
      expect((await readFile(path)).equals(whole)).toBe(true)
      expect([writer.written, ...ends.slice(-1)]).toEqual(chunks.length > 0 ? [whole.length, whole.length] : [from])
      expect(ends).toEqual(ends.toSorted((a, b) => a - b))
    }),
    { numRuns: 25 },
  )
})

test('a small body goes out at once, on from where the file ends, and its memory is given back', async () => {
  const path = join(scratchDir(), 'small')
  await using file = await open(path, 'wx+')
  await file.write('before ')
  const ends: number[] = []
  const writer = new BatchWriter(file, 7, (written) => ends.push(written))
  const chunks = ['so ', 'small'].map((text) => Buffer.from(Uint8Array.from(Buffer.from(text)).buffer))
  for (const chunk of chunks) void writer.take(chunk)
  expect(writer.flushAtOnce()).toBeUndefined()
  expect([await readFile(path, 'utf8'), writer.written, ends, writer.gathered]).toEqual(['before so small', 15, [15], []])
  expect(chunks.filter(({ length }) => length > 0)).toEqual([])
})

testOnTinyDisk(
  'a small body that does not fit fails with what the disk said, and its end is where the disk stopped',
  async () => {
    const disk = tinyDisk(2)
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(join(disk, 'filler'), Buffer.alloc((bavail - 1) * bsize))
    await using file = await open(join(disk, 'small'), 'wx+')
    const writer = new BatchWriter(file, 0, () => undefined)
    void writer.take(fresh(3 * bsize, 1))
    expect(writer.flushAtOnce()).toMatchObject({ code: 'ENOSPC' })
    expect([writer.written, (await file.stat()).size]).toEqual([bsize, bsize])
    expect(() => writer.take(fresh(1, 1))).toThrow('ENOSPC')
  },
)

test('after a failure nothing is written, what is taken next throws, and nobody waits', async () => {
  const path = join(scratchDir(), 'fails')
  await using file = await open(path, 'wx+')
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' })
  let calls = 0
  const disk = {
    writev: async (buffers: Buffer[], at: number) => (calls++ === 1 ? Promise.reject(full) : file.writev(buffers, at)),
  }
  const writer = new BatchWriter(disk as unknown as FileHandle, 0, () => undefined)
  const waits = Array.from({ length: 4 }, () => writer.take(fresh(1 << 20, 3)))
  for (const wait of waits) await wait
  expect(await writer.flush()).toBe(full)
  expect(() => writer.take(fresh(1, 1))).toThrow(full)
  expect([writer.written, (await file.stat()).size, calls]).toEqual([1 << 20, 1 << 20, 2])
})

test('full batches are few: whoever sends faster than the disk writes has to wait', async () => {
  await using file = await open(join(scratchDir(), 'slow'), 'wx+')
  const { promise: slow, resolve: go } = Promise.withResolvers<void>()
  const disk = { writev: (buffers: Buffer[], at: number) => slow.then(() => file.writev(buffers, at)) }
  const writer = new BatchWriter(disk as unknown as FileHandle, 0, () => undefined)
  const waits = Array.from({ length: 3 }, () => writer.take(fresh(1 << 20, 3)))
  expect(waits.map((wait) => wait !== undefined)).toEqual([false, false, true])
  go()
  await waits[2]
  expect(await writer.flush()).toBeUndefined()
})

test('memory of what is written is given back, and single bytes do not pile up', async () => {
  await using file = await open(join(scratchDir(), 'bytes'), 'wx+')
  const writer = new BatchWriter(file, 0, () => undefined)
  const chunks = Array.from({ length: 1025 }, (_, k) => fresh(1, k))
  for (const chunk of chunks) await writer.take(chunk)
  expect(writer.gathered).toHaveLength(1)
  expect(await writer.flush()).toBeUndefined()
  expect(chunks.filter(({ length }) => length > 0)).toEqual([])
})
