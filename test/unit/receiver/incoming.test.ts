/** A body on its way in, longer than a batch: its hash, its sync, and what is left of it when it goes wrong. */
import { randomBytes } from 'node:crypto'
import { readdir, readlink } from 'node:fs/promises'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { BodyFile } from '../../../packages/receiver/src/store/body-file.ts'
import { DirectFile } from '../../../packages/receiver/src/store/direct-file.ts'
import { HashPool } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { Incoming } from '../../../packages/receiver/src/store/incoming.ts'
import { holdSync } from '../../support/held-sync.ts'
import { scratchDir } from '../../support/scratch.ts'
import { ramDisk, testOnTinyDisk } from '../../support/tiny-disk.ts'
import { sha256 } from '../../support/wire.ts'

const mebibyte = 1 << 20
const whole = randomBytes(3 * mebibyte + 5)
const hashes = new HashPool(1, () => undefined)
afterAll(() => hashes[Symbol.asyncDispose]())
afterEach(() => vi.restoreAllMocks())

const disk = Object.assign(new Error('the disk is broken'), { code: 'EIO' })

/** A copy in pieces: what is taken is given back. */
async function take(incoming: Incoming, bytes: Buffer, piece = 16_384): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece)
    await incoming.take(Buffer.from(Uint8Array.from(bytes.subarray(at, at + piece)).buffer))
}

async function openFiles(folder: string): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd')
  const names = await Promise.all(numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')))
  return names.filter((name) => name.startsWith(folder))
}

test('has the hash of all its bytes, and is durable with its sidecar', async () => {
  const folder = scratchDir()
  await using incoming = Incoming.create(folder, hashes)
  await take(incoming, whole)
  expect(await incoming.finish(sha256(whole))).toBe(sha256(whole))
  await incoming.sync('{}')
  expect(await readdir(folder)).toHaveLength(2)
})

test('a small one is looked at while its chunks are there, which are given back then', async () => {
  const chunks = ['so ', 'small'].map((text) => Buffer.from(Uint8Array.from(Buffer.from(text)).buffer))
  await using incoming = Incoming.create(scratchDir(), hashes)
  for (const chunk of chunks) void incoming.take(chunk)
  let seen = ''
  const finished = incoming.finish(sha256(Buffer.from('so small')), (all) => (seen = Buffer.concat(all).toString()))
  expect(await finished).toBe(sha256(Buffer.from('so small')))
  expect([seen, ...chunks.map(({ length }) => length)]).toEqual(['so small', 0, 0])
})

test('bytes that the disk lost are not taken for other bytes of the client', async () => {
  const folder = scratchDir()
  using held = await holdSync(/\.part$/)
  await using incoming = Incoming.create(folder, hashes)
  await take(incoming, whole)
  const finished = incoming.finish(sha256(Buffer.from('other')))
  await held.hangs
  held.release(disk)
  await expect(finished).rejects.toBe(disk)
})

test('the sync begins with the last byte, and its failure is told to whoever wants to publish', async () => {
  using held = await holdSync(/\.part$/)
  await using incoming = Incoming.create(scratchDir(), hashes)
  await take(incoming, whole)
  const finished = incoming.finish(sha256(whole))
  await held.hangs
  expect(await finished).toBe(sha256(whole))
  held.release(disk)
  await expect(incoming.sync('{}')).rejects.toBe(disk)
})

testOnTinyDisk('a sync on the way that failed is not forgotten: a later one that succeeds does not make it good', async () => {
  const failed = Promise.withResolvers<void>()
  // On the way it is `datasync`, at the end `sync`, which is left as it is.
  const datasync = vi.spyOn(BodyFile.prototype, 'datasync').mockReturnValue(failed.promise)
  // Past the page cache there is nothing to sync on the way.
  await using incoming = Incoming.create(ramDisk(), hashes)
  const zeros = Buffer.alloc(65 * mebibyte)
  await take(incoming, zeros, mebibyte)
  expect(await incoming.finish(sha256(zeros))).toBe(sha256(zeros))
  const durable = incoming.sync('{}')
  failed.reject(disk)
  await expect(durable).rejects.toBe(disk)
  expect(datasync).toHaveBeenCalledTimes(1)
})

test('a file that is shorter than what was written to it is not made durable', async () => {
  vi.spyOn(DirectFile.prototype, 'write').mockImplementation((bytes) => Promise.resolve(bytes.length))
  await using incoming = Incoming.create(scratchDir(), hashes)
  await take(incoming, whole)
  expect(await incoming.finish(sha256(whole))).toBe(sha256(whole))
  await expect(incoming.sync('{}')).rejects.toThrow(/has 0 bytes of the 3145733/)
})

test('one that is cut leaves neither file nor descriptor', async () => {
  const folder = scratchDir()
  const incoming = Incoming.create(folder, hashes)
  await take(incoming, whole)
  // Once for what goes through the page cache, and once past it.
  expect(await openFiles(folder)).toHaveLength(2)
  await incoming[Symbol.asyncDispose]()
  expect([await readdir(folder), await openFiles(folder)]).toEqual([[], []])
})
