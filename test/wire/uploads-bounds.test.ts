/** Resumable uploads that are forgotten, broken or too many: they hinder neither their host nor the others. */
import { readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { episode } from '../support/archives.ts'
import { holdSync } from '../support/held-sync.ts'
import { hostFiles } from '../support/pki.ts'
import { eventually, type Settings, Site, type TestReceiver } from '../support/receiver.ts'
import { append, create, created, look, partHeaders, stateOf } from '../support/uploads.ts'
import { ask, jsonOf, problemOf, put, requestHead, sha256, Wire, type WireAnswer } from '../support/wire.ts'

let site: Site
beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

const mebibyte = 1 << 20
const hour = 3_600_000
const seen = (answer: WireAnswer) => [answer.status, answer.status < 300 ? 'good' : problemOf(answer).code]

async function started(settings: Settings = {}): Promise<TestReceiver> {
  const receiver = await site.start(settings)
  onTestFinished(() => receiver.stop())
  return receiver
}

/** The same store, in which every upload has had no progress for so long. */
async function later(receiver: TestReceiver, ms: number, settings: Settings): Promise<TestReceiver> {
  await receiver.stop()
  const folder = join(receiver.stateDir, 'uploads')
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.json'))) {
    const state = JSON.parse(await readFile(join(folder, name), 'utf8')) as { expires_at: string }
    const expires_at = new Date(Date.parse(state.expires_at) - ms).toISOString()
    await writeFile(join(folder, name), JSON.stringify({ ...state, expires_at }))
  }
  return await started({ ...settings, stateDir: receiver.stateDir })
}

describe('an upload that its host has forgotten', () => {
  it('makes way for a new one of the same host, the oldest first', async () => {
    const settings = { limits: { uploads_per_host: 2 } }
    const first = await started(settings)
    const paths = []
    for (const id of ['one', 'two']) paths.push(await created(first, id, episode(id, site.head), { commit: site.head }))
    const three = episode('three', site.head)
    expect(seen(await create(first, 'three', three, { commit: site.head }))).toEqual([429, 'rate'])
    const second = await later(first, hour / 4, settings)
    await append(second, paths[0] as string, 0, episode('one', site.head).subarray(0, 9))
    expect((await create(second, 'three', three, { commit: site.head })).status).toBe(201)
    expect((await look(second, paths[1] as string)).status).toBe(410)
    expect(stateOf(await look(second, paths[0] as string))).toEqual([204, 9, '?0'])
    const four = await create(second, 'four', episode('four', site.head), { commit: site.head })
    expect(seen(four)).toEqual([429, 'rate'])
  })

  it('keeps the room of its bytes for an hour, not for a week', async () => {
    const { bavail, bsize } = await statfs(site.root)
    const settings = { max_episode_size: '100TiB' }
    const first = await started(settings)
    const much = { commit: site.head, headers: { 'Upload-Length': Math.floor(bavail * bsize * 0.6) } }
    const path = await created(first, 'much', episode('much', site.head), much)
    const other = await hostFiles(site.pki.dir, 'roomless', site.pki.authority, 'lab-08')
    const more = (on: TestReceiver) => create(on, 'more', episode('more', site.head), { ...much, identity: other })
    expect(seen(await more(first))).toEqual([507, 'store-full'])
    const second = await later(first, 2 * hour, settings)
    expect(seen(await more(second))).toEqual([201, 'good'])
    expect(stateOf(await look(second, path))).toEqual([204, 0, '?0'])
  })
})

describe('the quota of the day', () => {
  it('counts what is on its way, too', async () => {
    const bytes = episode('on-its-way', site.head, 'x'.repeat(500))
    const receiver = await started({ limits: { bytes_per_day: Math.floor(bytes.length * 2.5) } })
    const path = await created(receiver, 'on-its-way', bytes, { commit: site.head })
    const all = { commit: site.head, headers: { 'Upload-Length': bytes.length * 2 } }
    expect(seen(await create(receiver, 'too-much', bytes, all))).toEqual([429, 'quota'])
    expect((await create(receiver, 'on-its-way', bytes, { commit: site.head })).headers['location']).toBe(path)
    using wire = await Wire.connect(receiver)
    const plain = { 'X-Content-SHA256': '0'.repeat(64), 'X-Cis490-Code-Commit': site.head, Expect: '100-continue' }
    await wire.write(requestHead('PUT', '/v1/episodes/runs.tar.zst', { ...plain, 'Content-Length': bytes.length }))
    expect((await wire.answer()).status).toBe(100)
    expect(seen(await create(receiver, 'third', bytes, { commit: site.head }))).toEqual([429, 'quota'])
    wire.socket.destroy()
    await eventually(
      () => create(receiver, 'third', bytes, { commit: site.head }),
      ({ status }) => status === 201,
    )
  })
})

describe('an upload whose part cannot be read', () => {
  it('is gone after the request that found it so, and can be made anew', async () => {
    const receiver = await started()
    const bytes = episode('unread', site.head)
    const folder = join(receiver.stateDir, 'uploads')
    const partOf = (path: string) => join(folder, `${path.slice(-32)}.part`)
    const missing = await created(receiver, 'unread', bytes, { commit: site.head })
    await append(receiver, missing, 0, bytes.subarray(0, 50))
    await rm(partOf(missing))
    expect((await append(receiver, missing, 50, bytes.subarray(50), { complete: true })).status).toBe(500)
    expect(seen(await append(receiver, missing, 50, bytes.subarray(50), { complete: true }))).toEqual([404, 'upload-gone'])
    const short = await created(receiver, 'unread', bytes, { commit: site.head })
    await append(receiver, short, 0, bytes.subarray(0, 50))
    await writeFile(partOf(short), bytes.subarray(0, 20))
    expect((await append(receiver, short, 50, bytes.subarray(50))).status).toBe(500)
    expect((await look(receiver, short)).status).toBe(404)
    const whole = await created(receiver, 'unread', bytes, { commit: site.head })
    await append(receiver, whole, 0, bytes)
    await rm(partOf(whole))
    const none = Buffer.alloc(0)
    expect((await append(receiver, whole, bytes.length, none, { complete: true })).status).toBe(500)
    expect((await look(receiver, whole)).status).toBe(404)
    const anew = await created(receiver, 'unread', bytes, { commit: site.head })
    expect((await append(receiver, anew, 0, bytes, { complete: true })).status).toBe(201)
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([])
  })
})

describe('an upload that gets more bytes than it has', () => {
  it('leaves nothing, also while an offset is being written', async () => {
    const receiver = await started({ max_episode_size: '100MiB' })
    const whole = Buffer.alloc(66 * mebibyte)
    const path = await created(receiver, 'too-long', whole, { commit: site.head })
    using offset = await holdSync(/\.part$/)
    using wire = await Wire.connect(receiver)
    await wire.write(requestHead('PATCH', path, { ...partHeaders(0), 'Transfer-Encoding': 'chunked' }))
    for (const chunk of [whole, Buffer.alloc(mebibyte)]) {
      await wire.write(`${chunk.length.toString(16)}\r\n`)
      await wire.write(chunk)
      await wire.write('\r\n')
    }
    await wire.write('0\r\n\r\n')
    await offset.hangs
    const files = () => readdir(join(receiver.stateDir, 'uploads'))
    // Either it waits for the offset, or what it takes away now comes back.
    const isGone = (names: string[]) => names.length === 0
    await eventually(files, isGone, 500).catch(() => undefined)
    offset.release()
    expect(seen(await wire.answer('PATCH'))).toEqual([400, 'inconsistent-upload-length'])
    expect(await files()).toEqual([])
  })
})

describe('answers about an upload', () => {
  it('carry the place in the window, whether the upload ends or not', async () => {
    const receiver = await started()
    const bytes = episode('placed', site.head)
    const made = await create(receiver, 'placed', bytes, { commit: site.head })
    const path = made.headers['location'] as string
    const gate = `position=1, window=3, head=${site.head}`
    const part = await append(receiver, path, 0, bytes.subarray(0, 9))
    const last = await append(receiver, path, 9, bytes.subarray(9), { complete: true })
    expect([made, part, last].map(({ headers }) => headers['x-cis490-gate'])).toEqual([gate, gate, gate])
  })

  it('to DELETE say that nothing can be appended any more', async () => {
    const receiver = await started()
    const path = await created(receiver, 'deleted', episode('deleted', site.head), { commit: site.head })
    const answer = await ask(receiver, path, { method: 'DELETE' })
    expect(answer.headers).toMatchObject({ 'upload-complete': '?0', 'upload-limit': expect.stringMatching(/max-age=0$/) })
  })

  it('are of the stamp and the schema version that were told: with others it is another upload', async () => {
    const receiver = await started()
    const bytes = episode('restamped', undefined)
    const [older, newer] = [site.commits[1] as string, site.head]
    const first = await created(receiver, 'restamped', bytes, { commit: older })
    const second = await created(receiver, 'restamped', bytes, { commit: newer })
    const third = await created(receiver, 'restamped', bytes, { commit: newer, headers: { 'X-Cis490-Schema-Version': '7' } })
    expect(new Set([first, second, third]).size).toBe(3)
    expect(await created(receiver, 'restamped', bytes, { commit: newer })).toBe(second)
    const done = await append(receiver, second, 0, bytes, { complete: true })
    expect(jsonOf(done)).toMatchObject({ commit: newer })
  })
})

describe('a body that nobody asked for', () => {
  it.each(['HEAD', 'OPTIONS', 'DELETE', 'GET'])('of %s is not read without end', async (method) => {
    const receiver = await started({ limits: { drain_bytes: '64KiB' } })
    const bytes = episode('endless', site.head)
    const path = await created(receiver, 'endless', bytes, { commit: site.head })
    await put(receiver, 'endless', bytes, { commit: site.head })
    for (const target of method === 'DELETE' ? [path] : [path, '/v1/episodes/endless.tar.zst']) {
      using wire = await Wire.connect(receiver)
      await wire.write(requestHead(method, target, { 'Content-Length': 2 ** 40 }))
      expect((await wire.answer(method === 'GET' ? 'GET' : 'HEAD')).status).toBeLessThan(300)
      const chunk = Buffer.alloc(64 * 1024)
      // The receiver closes in stages, so for a second it may still read.
      const end = performance.now() + 6000
      while (wire.open && performance.now() < end) await wire.write(chunk)
      expect(wire.open).toBe(false)
    }
  })
})

describe('the end of the receiver', () => {
  it('waits for an episode whose client has gone while it is being published', async () => {
    const receiver = await site.start()
    const bytes = episode('orphaned', site.head, Buffer.alloc(128 * mebibyte))
    using wire = await Wire.connect(receiver)
    const headers = { 'X-Content-SHA256': sha256(bytes), 'X-Cis490-Code-Commit': site.head }
    await wire.write(requestHead('PUT', '/v1/episodes/orphaned.tar.zst', { ...headers, 'Content-Length': bytes.length }))
    await wire.write(bytes)
    await eventually(
      () => receiver.incoming(),
      (names) => names.length > 0,
    )
    wire.socket.destroy()
    await receiver.stop()
    expect(await receiver.incoming()).toEqual([])
  })
})
