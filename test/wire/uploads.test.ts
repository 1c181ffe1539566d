/** A resumable upload from its creation to the receipt, and what it may meet on the way. */
import { readdir, readFile, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { expired, hostFiles } from '../support/pki.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { append, create, created, look, partHeaders, stateOf } from '../support/uploads.ts'
import { ask, jsonOf, problemOf, put, requestHead, sha256, Wire, type WireAnswer } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
const none = Buffer.alloc(0)

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start({ limits: { uploads_per_host: 64 } })
})
afterAll(() => site[Symbol.asyncDispose]())

const uploadFiles = (of: TestReceiver) => readdir(join(of.stateDir, 'uploads'))
const rowsOf = async (of: TestReceiver, id: string) => (await of.index()).filter((row) => row['id'] === id)

/** An open upload with some bytes in it. */
async function opened(on: TestReceiver, id: string, arrived = 0): Promise<{ bytes: Buffer; path: string }> {
  const bytes = episode(id, site.head, `of ${id}`)
  const path = await created(on, id, bytes, { commit: site.head })
  if (arrived > 0) expect((await append(on, path, 0, bytes.subarray(0, arrived))).status).toBe(204)
  return { bytes, path }
}

function expectRefused(answer: WireAnswer, status: number, code: string): void {
  expect([answer.status, problemOf(answer).code]).toEqual([status, code])
}

describe('a resumable upload', () => {
  it('is created, appended to in two parts and finished with the receipt that a PUT would have had', async () => {
    const bytes = episode('in-parts', site.head, 'p'.repeat(100_000))
    const half = Math.floor(bytes.length / 2)
    const made = await create(receiver, 'in-parts', bytes, { commit: site.head })
    expect(stateOf(made)).toEqual([201, 0, '?0'])
    const path = made.headers['location'] as string
    expect(path).toMatch(/^\/v1\/uploads\/[0-9a-f]{32}$/)
    expect(made.headers['upload-limit']).toMatch(/^max-size=\d+, max-age=60\d{4}$/)

    const first = await append(receiver, path, 0, bytes.subarray(0, half))
    expect(stateOf(first)).toEqual([204, half, '?0'])
    const seen = await look(receiver, path)
    expect(stateOf(seen)).toEqual([204, half, '?0'])
    expect(seen.headers).toMatchObject({
      'upload-length': String(bytes.length),
      'cache-control': 'no-store',
      'x-cis490-prefix-sha256': sha256(bytes.subarray(0, half)),
    })
    const last = await append(receiver, path, half, bytes.subarray(half), { complete: true })
    expect([last.status, last.headers['upload-complete'], last.headers['location']]).toEqual([
      201,
      '?1',
      '/v1/episodes/in-parts.tar.zst',
    ])
    expect(jsonOf(last)).toMatchObject({ id: 'in-parts', host: 'lab-07', sha256: sha256(bytes), gate_position: 1 })
    const stored = await ask(receiver, '/v1/episodes/in-parts.tar.zst')
    expect(stored.body).toEqual(bytes)
    expect((await receiver.index()).filter((row) => row['id'] === 'in-parts')).toHaveLength(1)
    const again = await put(receiver, 'in-parts', bytes, { commit: site.head })
    expect([again.status, again.body]).toEqual([200, last.body])
    expect((await readdir(join(receiver.stateDir, 'uploads'))).filter((name) => name.endsWith('.part'))).toEqual([])
    expect(await receiver.incoming()).toEqual([])
  })
  it('is found again by the same host, id, hash and length; other bytes get one of their own', async () => {
    const { bytes, path } = await opened(receiver, 'found', 9)
    const again = await create(receiver, 'found', bytes, { commit: site.head })
    expect([again.headers['location'], ...stateOf(again)]).toEqual([path, 201, 9, '?0'])
    const other = episode('found', site.head, 'another recording of that name')
    expect(await created(receiver, 'found', other, { commit: site.head })).not.toBe(path)
  })

  it('of which a creation sends what is there already goes on behind it', async () => {
    const { bytes, path } = await opened(receiver, 'overlap', 30)
    const again = await create(receiver, 'overlap', bytes, { commit: site.head, body: bytes.subarray(0, 80) })
    expect([again.headers['location'], ...stateOf(again)]).toEqual([path, 201, 80, '?0'])
    expect((await append(receiver, path, 80, bytes.subarray(80), { complete: true })).status).toBe(201)
  })

  it('of an episode that is stored is its receipt at once, or the conflict', async () => {
    const bytes = episode('stored', site.head)
    const first = await put(receiver, 'stored', bytes, { commit: site.head })
    const same = await create(receiver, 'stored', bytes, { commit: site.head, body: bytes })
    expect([same.status, same.headers['upload-complete'], same.body]).toEqual([200, '?1', first.body])
    const other = await create(receiver, 'stored', episode('stored', site.head, 'other'), { commit: site.head })
    expectRefused(other, 409, 'content-conflict')
    expect(other.headers).toMatchObject({ 'upload-complete': '?1' })
    expect(other.headers['upload-limit']).toMatch(/^max-size=/)
    const unmatched = await create(receiver, 'stored', bytes, { commit: site.head, headers: { 'If-None-Match': '*' } })
    expectRefused(unmatched, 412, 'already-exists')
  })

  it('is refused at its creation for all that a plain PUT is refused for', async () => {
    const bytes = episode('refused', site.head)
    const ask = (headers: Record<string, string | undefined>, commit: string | undefined = site.head) =>
      create(receiver, 'refused', bytes, { commit, headers })
    expectRefused(await ask({ 'X-Content-SHA256': undefined }), 400, 'sha256-missing')
    expectRefused(await ask({ 'Content-Range': 'bytes 0-5/10' }), 400, 'partial-put')
    expectRefused(await ask({ 'Content-Encoding': 'gzip' }), 415, 'content-encoding')
    expectRefused(await ask({}, site.tooOld), 412, 'commit-not-in-window')
    expectRefused(await ask({ 'X-Cis490-Host': 'lab-08' }), 403, 'wrong-host')
    expect((await uploadFiles(receiver)).filter((name) => name.includes('refused'))).toEqual([])
    const codes = async () => (await receiver.rejects()).filter((row) => row['id'] === 'refused').map((row) => row['code'])
    const all = ['sha256-missing', 'partial-put', 'content-encoding', 'commit-not-in-window', 'wrong-host']
    await eventually(codes, (seen) => seen.join() === all.join())
  })

  it('with a body and Upload-Complete: ?1 is a plain PUT', async () => {
    const bytes = episode('at-once', site.head)
    const answer = await create(receiver, 'at-once', bytes, {
      commit: site.head,
      body: bytes,
      headers: { 'Upload-Complete': '?1' },
    })
    expect([answer.status, answer.headers['upload-complete']]).toEqual([201, '?1'])
    expect(answer.headers['location']).toBe('/v1/episodes/at-once.tar.zst')
  })

  it('belongs to its host: nobody else can look, append, cancel or find it', async () => {
    const { bytes, path } = await opened(receiver, 'mine', 5)
    const identity = await hostFiles(site.pki.dir, 'other', site.pki.authority, 'lab-08')
    expect((await look(receiver, path, identity)).status).toBe(404)
    expectRefused(await append(receiver, path, 5, bytes.subarray(5), { identity }), 404, 'upload-gone')
    expectRefused(await ask(receiver, path, { method: 'DELETE', identity }), 404, 'upload-gone')
    expect(await created(receiver, 'mine', bytes, { commit: site.head, identity })).not.toBe(path)
    expect(stateOf(await look(receiver, path))).toEqual([204, 5, '?0'])
  })

  it('that does not exist is upload-gone, another method 405', async () => {
    for (const name of ['0'.repeat(32), '', 'x/y', '%2e%2e'])
      expectRefused(await append(receiver, `/v1/uploads/${name}`, 0, none), 404, 'upload-gone')
    const { path } = await opened(receiver, 'methods')
    const answer = await ask(receiver, path, { method: 'PUT', body: 'x' })
    expectRefused(answer, 405, 'method-not-allowed')
    expect(answer.headers['allow']).toBe('HEAD, GET, PATCH, DELETE, OPTIONS')
    expect((await ask(receiver, path, { method: 'OPTIONS' })).headers['accept-patch']).toBe('application/partial-upload')
  })

  it('does not hinder a plain PUT of the same episode, and then ends in its receipt', async () => {
    const { bytes, path } = await opened(receiver, 'overtaken', 20)
    const plain = await put(receiver, 'overtaken', bytes, { commit: site.head })
    expect(plain.status).toBe(201)
    const done = await append(receiver, path, 20, bytes.subarray(20), { complete: true })
    expect([done.status, done.headers['upload-complete'], done.body]).toEqual([200, '?1', plain.body])
    expect(await rowsOf(receiver, 'overtaken')).toHaveLength(1)
  })
})

describe('the answer that ends an upload', () => {
  it('is given again to whoever asks, also by another process', async () => {
    const first = await site.start()
    const { bytes, path } = await opened(first, 'replay', 20)
    const done = await append(first, path, 20, bytes.subarray(20), { complete: true })
    expect(done.status).toBe(201)
    const replays = async (of: TestReceiver) => {
      expect(stateOf(await look(of, path))).toEqual([204, bytes.length, '?1'])
      const empty = await append(of, path, bytes.length, none, { complete: true })
      const tail = await append(of, path, 20, bytes.subarray(20), { complete: true })
      for (const answer of [empty, tail])
        expect([answer.status, answer.headers['upload-complete'], answer.body]).toEqual([201, '?1', done.body])
      const anew = await create(of, 'replay', bytes, { commit: site.head })
      expect([anew.status, anew.headers['upload-complete'], anew.body]).toEqual([200, '?1', done.body])
    }
    await replays(first)
    await first.stop()
    const second = await site.start({ stateDir: first.stateDir })
    await replays(second)
    expect(await rowsOf(second, 'replay')).toHaveLength(1)
  })

  it('is kept for a refusal too; the same bytes can then be tried anew', async () => {
    const bytes = Buffer.from('no archive at all')
    const path = await created(receiver, 'refusal', bytes, { commit: site.head })
    const first = await append(receiver, path, 0, bytes, { complete: true })
    expectRefused(first, 422, 'invalid-episode')
    const again = await append(receiver, path, bytes.length, none, { complete: true })
    expect([again.status, again.headers['upload-complete'], again.body]).toEqual([422, '?1', first.body])
    expect(stateOf(await look(receiver, path))).toEqual([204, bytes.length, '?1'])
    expect(await created(receiver, 'refusal', bytes, { commit: site.head })).not.toBe(path)
    const rows = await eventually(
      () => receiver.rejects(),
      (seen) => seen.filter((row) => row['id'] === 'refusal').length === 2,
    )
    for (const row of rows.filter(({ id }) => id === 'refusal'))
      expect(row).toMatchObject({ code: 'invalid-episode', commit: site.head, status: 422 })
  })

  it('comes from the gate as it was at creation, and from the deny list as it is', async () => {
    const deny = join(site.root, 'deny.toml')
    await writeFile(deny, '')
    const gate = { repo_path: site.repo.path, window: 3, refresh: '50ms', deny_file: deny }
    const strict = await site.start({ version_gate: gate })
    const oldest = site.commits[2] as string
    const bytes = episode('long', oldest)
    const path = await created(strict, 'long', bytes, { commit: oldest })
    const denied = episode('denied', oldest)
    const deniedPath = await created(strict, 'denied', denied, { commit: oldest })
    site.repo.commit(1)
    await eventually(
      () => strict.gate(),
      ({ head }) => head !== site.head,
    )
    expectRefused(await create(strict, 'late', episode('late', oldest), { commit: oldest }), 412, 'commit-not-in-window')
    const done = await append(strict, path, 0, bytes, { complete: true })
    expect(jsonOf(done)).toMatchObject({ gate_position: 3, commit: oldest })
    expect(done.headers['x-cis490-gate']).toBe(`position=3, window=3, head=${site.head}`)
    await writeFile(deny, `[[deny]]\ncommit = "${oldest}"\nreason = "loses samples"\nby = "ops"\n`)
    await eventually(
      () => create(strict, 'late', episode('late', oldest), { commit: oldest }),
      (answer) => problemOf(answer).code === 'commit-denied',
    )
    const refused = await append(strict, deniedPath, 0, denied, { complete: true })
    expectRefused(refused, 412, 'commit-denied')
    expect(refused.headers['upload-complete']).toBe('?1')
  })

  it('asks for a certificate that is valid then', async () => {
    const { bytes, path } = await opened(receiver, 'certified')
    const identity = await hostFiles(site.pki.dir, 'late', site.pki.authority, 'lab-07', expired(2))
    expectRefused(await append(receiver, path, 0, bytes, { complete: true, identity }), 403, 'certificate-expired')
    expect((await append(receiver, path, 0, bytes, { complete: true })).status).toBe(201)
  })
})

describe('a restart of the receiver', () => {
  it('keeps what was told and reads it again for the hash', async () => {
    const first = await site.start()
    const { bytes, path } = await opened(first, 'restarted', 60)
    await first.stop()
    const second = await site.start({ stateDir: first.stateDir })
    expect(stateOf(await look(second, path))).toEqual([204, 60, '?0'])
    const more = await append(second, path, 60, bytes.subarray(60, 90))
    expect(stateOf(more)).toEqual([204, 90, '?0'])
    expect((await append(second, path, 90, bytes.subarray(90), { complete: true })).status).toBe(201)
    expect((await ask(second, '/v1/episodes/restarted.tar.zst')).body).toEqual(bytes)
  })

  it('cuts a part to the offset that was told', async () => {
    const first = await site.start()
    const { bytes, path } = await opened(first, 'longer', 50)
    await first.stop()
    const part = join(first.stateDir, 'uploads', `${path.slice(-32)}.part`)
    await writeFile(part, Buffer.concat([bytes.subarray(0, 50), Buffer.from('never told')]))
    const second = await site.start({ stateDir: first.stateDir })
    expect(second.log.at('warn')).toContainEqual(expect.objectContaining({ event: 'recovered', uploads_cut: 1 }))
    expect(await readFile(part)).toEqual(bytes.subarray(0, 50))
    expect((await append(second, path, 50, bytes.subarray(50), { complete: true })).status).toBe(201)
  })

  it('forgets an upload that has less than was told of it: it is gone, never shorter', async () => {
    const first = await site.start()
    const { bytes, path } = await opened(first, 'shorter', 50)
    await first.stop()
    await writeFile(join(first.stateDir, 'uploads', `${path.slice(-32)}.part`), bytes.subarray(0, 49))
    const second = await site.start({ stateDir: first.stateDir })
    expectRefused(await append(second, path, 49, bytes.subarray(49)), 404, 'upload-gone')
    expect(await uploadFiles(second)).toEqual([])
  })

  it('keeps what arrived of a body that was cut by the end of the drain', async () => {
    const first = await site.start({ drain: '200ms' })
    const { bytes, path } = await opened(first, 'drained')
    using wire = await Wire.connect(first)
    await wire.write(requestHead('PATCH', path, { ...partHeaders(0), 'Content-Length': bytes.length, Expect: '100-continue' }))
    expect((await wire.answer('PATCH')).status).toBe(100)
    await wire.write(bytes.subarray(0, 70))
    const stopped = first.stop()
    const answer = await wire.answer('PATCH')
    expectRefused(answer, 503, 'shutting-down')
    expect(stateOf(answer)).toEqual([503, 70, '?0'])
    await stopped
    const second = await site.start({ stateDir: first.stateDir })
    expect(stateOf(await look(second, path))).toEqual([204, 70, '?0'])
  })
})

describe('an upload that stalls', () => {
  it('is cut with too-slow and keeps what arrived', async () => {
    const strict = await site.start({ limits: { idle_timeout: '200ms' } })
    const { bytes, path } = await opened(strict, 'stalled')
    using wire = await Wire.connect(strict)
    await wire.write(requestHead('PATCH', path, { ...partHeaders(0), 'Content-Length': bytes.length }))
    await wire.write(bytes.subarray(0, 33))
    const answer = await wire.answer('PATCH')
    expectRefused(answer, 408, 'too-slow')
    expect(stateOf(answer)).toEqual([408, 33, '?0'])
  })

  it('expires: 410 and no file, while one that goes on does not', async () => {
    const brief = await site.start({ limits: { upload_max_age: '3s' } })
    const left = await opened(brief, 'left', 5)
    const kept = await opened(brief, 'kept', 1)
    let offset = 1
    await eventually(
      async () => {
        const part = await append(brief, kept.path, offset, kept.bytes.subarray(offset, offset + 1))
        expect(stateOf(part)).toEqual([204, offset + 1, '?0'])
        offset += 1
        return (await uploadFiles(brief)).length
      },
      (files) => files === 2,
    )
    expect((await look(brief, left.path)).status).toBe(410)
    expectRefused(await append(brief, left.path, 5, none), 410, 'upload-gone')
    expect(await created(brief, 'left', left.bytes, { commit: site.head })).not.toBe(left.path)
  })
})

describe('what one host may have', () => {
  it('is a bounded number of open uploads; a finished or cancelled one makes room', async () => {
    const small = await site.start({ limits: { uploads_per_host: 2 } })
    const first = await opened(small, 'one')
    await opened(small, 'two')
    const third = await create(small, 'three', episode('three', site.head), { commit: site.head })
    expectRefused(third, 429, 'rate')
    expect(Number(third.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect((await create(small, 'one', first.bytes, { commit: site.head })).headers['location']).toBe(first.path)
    expect((await ask(small, first.path, { method: 'DELETE' })).status).toBe(204)
    const { path, bytes } = await opened(small, 'three')
    expect((await append(small, path, 0, bytes, { complete: true })).status).toBe(201)
    await opened(small, 'four')
  })

  it('is a place for its body like any other; refused for now, the upload is where it was', async () => {
    const busy = await site.start({ limits: { bodies: 1 } })
    const [one, two] = [await opened(busy, 'one'), await opened(busy, 'two', 7)]
    using wire = await Wire.connect(busy)
    const headers = { ...partHeaders(0), 'Content-Length': one.bytes.length, Expect: '100-continue' }
    await wire.write(requestHead('PATCH', one.path, headers))
    expect((await wire.answer('PATCH')).status).toBe(100)
    const answer = await append(busy, two.path, 7, two.bytes.subarray(7), { complete: true })
    expectRefused(answer, 503, 'overloaded')
    expect(stateOf(answer)).toEqual([503, 7, '?0'])
    expect(stateOf(await look(busy, two.path))).toEqual([204, 7, '?0'])
    await wire.write(one.bytes)
    expect(stateOf(await wire.answer('PATCH'))).toEqual([204, one.bytes.length, '?0'])
    expect((await append(busy, two.path, 7, two.bytes.subarray(7), { complete: true })).status).toBe(201)
    const metrics = await (await fetch(`${busy.opsUrl}/metrics`)).text()
    for (const line of ['uploads_created_total 2', 'uploads_open 1', 'bytes_reserved 0'])
      expect(metrics).toContain(`\ncis490_resumable_${line}\n`)
    expect(metrics).toContain(`\ncis490_resumable_bytes_appended_total ${one.bytes.length + two.bytes.length}\n`)
  })

  it('is no more room than there is: what an open upload may still bring is taken', async () => {
    const { bavail, bsize } = await statfs(site.root)
    const roomy = await site.start({ max_episode_size: '100TiB' })
    const most = { commit: site.head, headers: { 'Upload-Length': Math.floor(bavail * bsize * 0.6) } }
    const first = await create(roomy, 'much', episode('much', site.head), most)
    expect(first.status).toBe(201)
    expect((await create(roomy, 'much', episode('much', site.head), most)).headers['location']).toBe(first.headers['location'])
    expectRefused(await create(roomy, 'more', episode('more', site.head), most), 507, 'store-full')
    expectRefused(
      await put(roomy, 'more', episode('more', site.head), {
        ...most,
        headers: { 'Content-Length': most.headers['Upload-Length'] },
      }),
      507,
      'store-full',
    )
    expect((await ask(roomy, first.headers['location'] as string, { method: 'DELETE' })).status).toBe(204)
    expect((await create(roomy, 'more', episode('more', site.head), most)).status).toBe(201)
  })
})
