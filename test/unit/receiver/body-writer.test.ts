/** Whatever the chunks and however little the disk takes at once, the file has their bytes in order, and `written` is its end. */
import { randomBytes } from 'node:crypto'
import { statfsSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import type { WritableFile } from '../../../packages/receiver/src/store/body-file.ts'
import { BodyWriter } from '../../../packages/receiver/src/store/body-writer.ts'
import { DirectFile } from '../../../packages/receiver/src/store/direct-file.ts'
import { HashPool, mostPieces } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { pieceBytes } from '../../../packages/receiver/src/store/hashing/piece-memory.ts'
import { scratchDir } from '../../support/scratch.ts'
import { ramDisk, testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'
import { sha256 } from '../../support/wire.ts'

const hashes = new HashPool(1, () => undefined)
afterAll(() => hashes[Symbol.asyncDispose]())
afterEach(() => vi.restoreAllMocks())

/** The disk takes so many bytes of a write: a real file, and a real write of fewer bytes, past the page cache too. */
function takeLess(most: () => number): void {
  const write = DirectFile.prototype.write
  vi.spyOn(DirectFile.prototype, 'write').mockImplementation(function (this: DirectFile, bytes, position) {
    return write.call(this, bytes.subarray(0, most()), position)
  })
}

/** What only a test of small bodies has: a file that takes less. */
function takingLess(file: FileHandle, most: () => number): WritableFile {
  return {
    fd: file.fd,
    writev: async (buffers, position) => {
      const all = Buffer.concat(buffers)
      const { bytesWritten } = await file.write(all, 0, Math.min(all.length, most()), position)
      return { bytesWritten }
    },
  }
}

interface Made {
  readonly writer: BodyWriter
  /** Each end of the file that was told. */
  readonly ends: number[]
  /** Of all bytes that the file has, by the thread. */
  digest(): Promise<string>
}

function writerOf(file: FileHandle, path: string, from = 0, writable: WritableFile = file): Made {
  const ends: number[] = []
  const hash = hashes.running()
  hash.attach(file, from)
  const onWritten = (written: number) => {
    ends.push(written)
    hash.grow(written)
  }
  const writer = new BodyWriter({ file: writable, path, from, follow: () => hash, onWritten })
  const digest = async () => {
    await writer.end()
    const made = await hash.digest(writer.written)
    await hash.detach()
    return made
  }
  return { writer, ends, digest }
}

const fresh = (length: number, seed: number) => Buffer.from(new Uint8Array(length).fill(seed % 251).buffer)

test('all bytes in order, also where writes are short, and the thread has their hash', async () => {
  const folder = scratchDir()
  let files = 0
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 2_400_000 })), { maxLength: 12 })
  const shorts = fc.array(fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.constant(1 << 21)), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(
      sizes,
      shorts,
      fc.constantFrom(0, 1, 4096, 5000, 8192),
      fc.constantFrom(0, mostPieces / 2 + 1, mostPieces - 1),
      async (lengths, takes, from, busy) => {
        const path = join(folder, String(files++))
        await using file = await open(path, 'wx+')
        await file.write(Buffer.alloc(from, 7))
        let k = 0
        const most = () => (k < 40 ? (takes[k++ % takes.length] as number) : 1 << 21)
        takeLess(most)
        const { writer, ends, digest } = writerOf(file, path, from, takingLess(file, most))
        const chunks = lengths.map((length, n) => fresh(length, n + 1))
        const whole = Buffer.concat([Buffer.alloc(from, 7), ...chunks])
        const { pieces } = hashes.running()
        const held = await Promise.all(Array.from({ length: busy }, () => pieces.take()))
        for (const chunk of chunks) await writer.take(chunk)
        expect(await writer.flush()).toBeUndefined()
        for (const piece of held) pieces.give(piece)
        vi.restoreAllMocks()
        expect((await readFile(path)).equals(whole)).toBe(true)
        expect([writer.written, ...ends.slice(-1)]).toEqual(chunks.length > 0 ? [whole.length, whole.length] : [from])
        expect(ends).toEqual(ends.toSorted((a, b) => a - b))
        expect(await digest()).toBe(sha256(whole))
      },
    ),
    { numRuns: 25 },
  )
})

test('whole pages go past the page cache, and the rest through it', async () => {
  const path = join(scratchDir(), 'direct')
  await using file = await open(path, 'wx+')
  const written = vi.spyOn(file, 'writev')
  const { writer } = writerOf(file, path)
  for (let k = 0; k < 3; k++) await writer.take(fresh(pieceBytes - 5, k))
  expect(await writer.flush()).toBeUndefined()
  expect(writer.direct).toBe(true)
  const byCache = written.mock.calls.map(([chunks, position]) => [
    chunks.reduce((sum, { byteLength }) => sum + byteLength, 0),
    position,
  ])
  expect(byCache).toEqual([[4096 - 15, 3 * pieceBytes - 4096]])
  await writer.end()
})

testOnTinyDisk('a file system that wants the page cache gets all by it', async () => {
  const path = join(ramDisk(), 'cached')
  await using file = await open(path, 'wx+')
  const { writer, digest } = writerOf(file, path)
  const whole = randomBytes(3 * pieceBytes - 7)
  await writer.take(Buffer.from(whole))
  expect(await writer.flush()).toBeUndefined()
  expect([writer.large, writer.direct]).toEqual([true, false])
  expect((await readFile(path)).equals(whole)).toBe(true)
  expect(await digest()).toBe(sha256(whole))
})

test('memory that the disk does not take as it lies goes through the page cache', async () => {
  const path = join(scratchDir(), 'crooked')
  await using file = await open(path, 'wx+')
  const direct = new DirectFile(file, path)
  const bytes = Buffer.from(randomBytes(8192 + 3).buffer, 3, 8192)
  for (let at = 0; at < bytes.length; ) at += await direct.write(bytes.subarray(at), at)
  expect(direct.direct).toBe(false)
  expect((await readFile(path)).equals(bytes)).toBe(true)
})

test("a small body goes out at once, on from where the file ends, and its chunks are the caller's again", async () => {
  const path = join(scratchDir(), 'small')
  await using file = await open(path, 'wx+')
  await file.write('before ')
  const { writer, ends } = writerOf(file, path, 7)
  const chunks = ['so ', 'small'].map((text) => Buffer.from(Uint8Array.from(Buffer.from(text)).buffer))
  for (const chunk of chunks) void writer.take(chunk)
  expect(writer.flushAtOnce()).toEqual(chunks)
  expect([await readFile(path, 'utf8'), writer.written, ends, writer.gathered]).toEqual(['before so small', 15, [15], []])
})

testOnTinyDisk(
  'a small body that does not fit fails with what the disk said, and its end is where the disk stopped',
  async () => {
    const disk = tinyDisk(2)
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(join(disk, 'filler'), Buffer.alloc((bavail - 1) * bsize))
    const path = join(disk, 'small')
    await using file = await open(path, 'wx+')
    const { writer } = writerOf(file, path)
    void writer.take(fresh(3 * bsize, 1))
    expect(() => writer.flushAtOnce()).toThrow('ENOSPC')
    expect([writer.written, (await file.stat()).size]).toEqual([bsize, bsize])
    expect(() => writer.take(fresh(1, 1))).toThrow('ENOSPC')
  },
)

test('who waits for memory goes on in order when there is some to spare meanwhile', async () => {
  const path = join(scratchDir(), 'waits')
  await using file = await open(path, 'wx+')
  const { writer, digest } = writerOf(file, path)
  const { pieces } = hashes.running()
  const held = await Promise.all(Array.from({ length: mostPieces }, () => pieces.take()))
  const whole = randomBytes(3 * pieceBytes + 17)
  const chunkOf = (from: number, to: number) => Buffer.from(Uint8Array.from(whole.subarray(from, to)).buffer)
  void writer.take(chunkOf(0, pieceBytes + 5))
  for (const piece of held.splice(0)) pieces.give(piece)
  for (let at = pieceBytes + 5; at < whole.length; at += 300_000) void writer.take(chunkOf(at, at + 300_000))
  expect(await writer.flush()).toBeUndefined()
  expect((await readFile(path)).equals(whole)).toBe(true)
  expect(await digest()).toBe(sha256(whole))
})

test('one that is cut gives its memory back', async () => {
  const path = join(scratchDir(), 'cut')
  await using file = await open(path, 'wx+')
  await using pool = new HashPool(1, () => undefined)
  for (let k = 0; k < 20; k++) {
    const hash = pool.running()
    hash.attach(file, 0)
    const writer = new BodyWriter({ file, path, from: 0, follow: () => hash, onWritten: () => undefined })
    await writer.take(fresh(pieceBytes + 9, k))
    await writer.end()
    await hash.detach()
  }
  expect(pool.running().pieces.takeSpare()).toBeDefined()
})

test('after a failure nothing is written, what is taken next throws, and nobody waits', async () => {
  const path = join(scratchDir(), 'fails')
  await using file = await open(path, 'wx+')
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' })
  const write = DirectFile.prototype.write
  let calls = 0
  vi.spyOn(DirectFile.prototype, 'write').mockImplementation(function (this: DirectFile, bytes, position) {
    return calls++ === 1 ? Promise.reject(full) : write.call(this, bytes, position)
  })
  const { writer } = writerOf(file, path)
  const chunks = Array.from({ length: 4 }, () => fresh(pieceBytes, 3))
  const waits = chunks.map((chunk) => writer.take(chunk))
  for (const wait of waits) await wait
  expect(await writer.flush()).toBe(full)
  expect(() => writer.take(fresh(1, 1))).toThrow(full)
  expect([writer.written, (await file.stat()).size, calls]).toEqual([pieceBytes, pieceBytes, 2])
  expect(chunks.filter(({ length }) => length > 0)).toEqual([])
  await writer.end()
})

test('batches that wait are few: whoever sends faster than the disk writes has to wait', async () => {
  const path = join(scratchDir(), 'slow')
  await using file = await open(path, 'wx+')
  const { promise: slow, resolve: go } = Promise.withResolvers<void>()
  const write = DirectFile.prototype.write
  vi.spyOn(DirectFile.prototype, 'write').mockImplementation(function (this: DirectFile, bytes, position) {
    return slow.then(() => write.call(this, bytes, position))
  })
  const { writer } = writerOf(file, path)
  const waits = Array.from({ length: 3 }, () => writer.take(fresh(pieceBytes, 3)))
  expect(waits.map((wait) => wait !== undefined)).toEqual([false, false, true])
  go()
  await waits[2]
  expect(await writer.flush()).toBeUndefined()
  await writer.end()
})

test('memory of what is written is given back, and single bytes do not pile up', async () => {
  const path = join(scratchDir(), 'bytes')
  await using file = await open(path, 'wx+')
  const { writer } = writerOf(file, path)
  const chunks = Array.from({ length: 1025 }, (_, k) => fresh(1, k))
  for (const chunk of chunks) await writer.take(chunk)
  expect([writer.large, writer.gathered]).toEqual([true, []])
  expect(await writer.flush()).toBeUndefined()
  expect(chunks.filter(({ length }) => length > 0)).toEqual([])
})
