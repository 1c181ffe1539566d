/** A disk that is full and a table of files that is full: told as such, nothing is left, and it goes on when there is room again. */
import { execFileSync } from 'node:child_process'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { episode } from '../support/archives.ts'
import { eventually, readRows, Site } from '../support/receiver.ts'
import { ReceiverProcess } from '../support/receiver-process.ts'
import { testOnTinyDisk, tinyDisk } from '../support/tiny-disk.ts'
import { append, create, look, stateOf } from '../support/uploads.ts'
import { problemOf, put, requestHead, uploadHeaders, Wire } from '../support/wire.ts'

const mebibyte = 1 << 20
const random = (bytes: number) =>
  Buffer.concat(Array.from({ length: bytes / 65_536 }, () => crypto.getRandomValues(new Uint8Array(65_536))))

let site: Site
beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

describe('a disk of 8 MiB that gets full inside a body', () => {
  testOnTinyDisk('is told as store-full; nothing is left of a PUT, and the next one is fine', async () => {
    const receiver = await site.start({ stateDir: tinyDisk(8) })
    onTestFinished(() => receiver.stop())
    using wire = await Wire.connect(receiver)
    const body = episode('large', site.head, random(20 * mebibyte))
    const headers = { ...uploadHeaders(body, site.head), 'Transfer-Encoding': 'chunked' }
    await wire.write(requestHead('PUT', '/v1/episodes/large.tar.zst', headers))
    for (let at = 0; at < body.length; at += mebibyte) {
      const chunk = body.subarray(at, at + mebibyte)
      await wire.write(`${chunk.length.toString(16)}\r\n`)
      await wire.write(chunk)
      await wire.write('\r\n')
    }
    await wire.write('0\r\n\r\n')
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([507, 'store-full'])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    await eventually(
      () => receiver.incoming(),
      (names) => names.length === 0,
    )
    expect((await put(receiver, 'small', episode('small', site.head), { commit: site.head })).status).toBe(201)
    expect((await receiver.index()).map((row) => row['id'])).toEqual(['small'])
  })

  testOnTinyDisk('is told as store-full to a part; what had room stays, and with room again the rest is enough', async () => {
    const stateDir = tinyDisk(8)
    const receiver = await site.start({ stateDir })
    onTestFinished(() => receiver.stop())
    const body = episode('in-parts', site.head, random(4 * mebibyte))
    const path = String((await create(receiver, 'in-parts', body, { commit: site.head })).headers['location'])
    expect(stateOf(await append(receiver, path, 0, body.subarray(0, mebibyte)))).toEqual([204, mebibyte, '?0'])
    await writeFile(join(stateDir, 'filler'), random(5 * mebibyte))
    const answer = await append(receiver, path, mebibyte, body.subarray(mebibyte), { complete: true })
    expect([answer.status, problemOf(answer).code]).toEqual([507, 'store-full'])
    await rm(join(stateDir, 'filler'))
    const [status, offset] = stateOf(await look(receiver, path))
    expect([status, offset >= mebibyte && offset < body.length]).toEqual([204, true])
    const last = await append(receiver, path, offset, body.subarray(offset), { complete: true })
    expect(last.status).toBe(201)
  })
})

describe('a full table of open files', () => {
  it('leaves the receiver alive, and with room again the next upload is fine', async () => {
    const stateDir = site.newStateDir()
    const limits = { bodies: 200, uploads_per_host: 200, connections_per_host: 200 }
    const receiver = await ReceiverProcess.start(site, { stateDir, limits })
    const open = (await readdir(`/proc/${receiver.child.pid}/fd`)).length
    execFileSync('prlimit', ['--pid', String(receiver.child.pid), `--nofile=${open + 20}:${open + 20}`])
    const slow = await Promise.all(Array.from({ length: 80 }, (_, k) => begin(receiver, `slow-${k}`)))
    const refused = slow.filter((wire) => !wire?.open)
    expect(refused.length).toBeGreaterThan(0)
    for (const wire of slow) wire?.socket.destroy()
    const body = episode('after', site.head)
    const again = () => put(receiver, 'after', body, { commit: site.head }).catch(() => undefined)
    await eventually(
      async () => (await again())?.status,
      (status) => status === 200,
    )
    await eventually(
      () => readdir(join(stateDir, 'incoming')),
      (names) => names.length === 0,
    )
    expect((await receiver.kill('SIGINT')).code).toBe(0)
    expect((await readRows(join(stateDir, 'index.jsonl'))).map((row) => row['id'])).toEqual(['after'])
  })
})

/** An upload whose body does not come. @returns undefined where not even the handshake went through */
async function begin(to: ReceiverProcess, id: string): Promise<Wire | undefined> {
  const wire = await Wire.connect(to, undefined, AbortSignal.timeout(3000)).catch(() => undefined)
  const headers = { ...uploadHeaders(Buffer.alloc(0), site.head), 'Content-Length': 1000 }
  await wire?.write(requestHead('PUT', `/v1/episodes/${id}.tar.zst`, headers))
  return wire
}
