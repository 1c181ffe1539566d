/** A disk that is really full. */
import { createHash } from 'node:crypto'
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { episode } from '../support/archives.ts'
import { eventually, Site } from '../support/receiver.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../support/tiny-disk.ts'
import { append, created, look, stateOf } from '../support/uploads.ts'
import { problemOf, put } from '../support/wire.ts'

let site: Site

beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

/** Bytes that do not compress. */
function noise(bytes: number): Buffer {
  const parts: Buffer[] = []
  for (let k = 0; k * 64 < bytes; k += 1) parts.push(createHash('sha512').update(String(k)).digest())
  return Buffer.concat(parts)
}

/** @param left bytes that stay free */
function fill(disk: string, left: number): string {
  const { bavail, bsize } = statfsSync(disk)
  const path = join(disk, 'filler')
  writeFileSync(path, Buffer.alloc(bavail * bsize - left))
  return path
}

testOnTinyDisk(
  'a disk that is full inside an append: 507, what is durable is kept, and it goes on when there is room',
  async () => {
    const disk = tinyDisk(16)
    const receiver = await site.start({ stateDir: join(disk, 'state') })
    const bytes = episode('full', site.head, noise(6 << 20))
    const path = await created(receiver, 'full', bytes, { commit: site.head })
    expect(stateOf(await append(receiver, path, 0, bytes.subarray(0, 1000)))).toEqual([204, 1000, '?0'])
    const filler = fill(disk, 4 << 20)
    const answer = await append(receiver, path, 1000, bytes.subarray(1000), { complete: true })
    const [status, offset, complete] = stateOf(answer)
    expect([status, problemOf(answer).code, complete]).toEqual([507, 'store-full', '?0'])
    expect(offset).toBeGreaterThan(1 << 20)
    expect(stateOf(await look(receiver, path))).toEqual([204, offset, '?0'])
    // Not one byte is free now: neither bytes nor state get in, and nothing is lost for it.
    const empty = fillUp(disk)
    expect(stateOf(await append(receiver, path, offset, bytes.subarray(offset)))).toEqual([507, offset, '?0'])
    empty()
    rmSync(filler)
    expect((await append(receiver, path, offset, bytes.subarray(offset), { complete: true })).status).toBe(201)
    await receiver.stop()
  },
)

testOnTinyDisk('a disk that is full inside a plain PUT: 507, nothing is left, the next one is fine', async () => {
  const disk = tinyDisk(16)
  const receiver = await site.start({ stateDir: join(disk, 'other') })
  const bytes = episode('plain', site.head, noise(4 << 20))
  const filler = fill(disk, 2 << 20)
  // Chunked, so that its length does not refuse it at once.
  const chunked = { 'Transfer-Encoding': 'chunked', 'Content-Length': undefined }
  const body = Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n0\r\n\r\n')])
  const answer = await put(receiver, 'plain', body, {
    commit: site.head,
    headers: { ...chunked, 'X-Content-SHA256': createHash('sha256').update(bytes).digest('hex') },
  })
  expect([answer.status, problemOf(answer).code]).toEqual([507, 'store-full'])
  await eventually(
    () => readdirSync(join(disk, 'other', 'incoming')),
    (names) => names.length === 0,
  )
  rmSync(filler)
  expect((await put(receiver, 'plain', bytes, { commit: site.head })).status).toBe(201)
  await receiver.stop()
})
