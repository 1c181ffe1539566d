/** Reading an episode back: whole, in parts, and its headers alone. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { ask, type Headers, problemOf, put, sha256 } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
let bytes: Buffer
const path = '/v1/episodes/ep.tar.zst'

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
  bytes = episode('ep', site.head, crypto.getRandomValues(new Uint8Array(3000)))
  await put(receiver, 'ep', bytes, { commit: site.head })
})
afterAll(() => site[Symbol.asyncDispose]())

const get = (headers: Headers = {}, method = 'GET') => ask(receiver, path, { method, headers })

describe('GET', () => {
  it('gives the bytes with ETag and Repr-Digest', async () => {
    const answer = await get()
    expect([answer.status, answer.body]).toEqual([200, bytes])
    expect(answer.headers).toMatchObject({
      etag: `"sha256-${sha256(bytes)}"`,
      'repr-digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
      'content-type': 'application/zstd',
    })
  })

  const last = 10
  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=100-', 100, undefined],
    [`bytes=-${last}`, -last, undefined],
    ['bytes=50-99999999', 50, undefined],
  ])('gives the part %s', async (range, start, end) => {
    const answer = await get({ Range: range })
    const part = bytes.subarray(start, end)
    const from = start < 0 ? bytes.length + start : start
    expect([answer.status, answer.body]).toEqual([206, part])
    expect(answer.headers['content-range']).toBe(`bytes ${from}-${from + part.length - 1}/${bytes.length}`)
    expect(answer.headers['etag']).toBe(`"sha256-${sha256(bytes)}"`)
  })

  it('says 416 for a range behind the end', async () => {
    const answer = await get({ Range: `bytes=${bytes.length}-` })
    expect([answer.status, answer.headers['content-range']]).toEqual([416, `bytes */${bytes.length}`])
  })

  it.each(['bytes=9-3', 'lines=1-2', 'bytes=0-1,5-6', 'bytes='])('gives everything for %s', async (range) => {
    expect(await get({ Range: range })).toMatchObject({ status: 200, body: bytes })
  })

  it('goes on with a download only if the bytes are the ones it began with', async () => {
    const range = { Range: 'bytes=5-' }
    expect((await get({ ...range, 'If-Range': `"sha256-${sha256(bytes)}"` })).status).toBe(206)
    expect(await get({ ...range, 'If-Range': '"sha256-of-something-else"' })).toMatchObject({ status: 200, body: bytes })
  })

  it('says not-found for what is not there', async () => {
    const answer = await ask(receiver, '/v1/episodes/none.tar.zst')
    expect([answer.status, problemOf(answer).code]).toEqual([404, 'not-found'])
    const bad = await ask(receiver, '/v1/episodes/%2e%2e%2fep.tar.zst')
    expect([bad.status, problemOf(bad).code]).toEqual([400, 'bad-id'])
  })
})

describe('HEAD', () => {
  it('gives the headers of GET without a body', async () => {
    const [head, whole] = [await get({}, 'HEAD'), await get()]
    const { date: _, ...expected } = whole.headers
    expect([head.status, head.headers]).toEqual([200, expect.objectContaining(expected)])
  })

  it('has no ranges: they are for GET alone', async () => {
    const answer = await get({ Range: 'bytes=0-9' }, 'HEAD')
    expect([answer.status, answer.headers['content-length']]).toEqual([200, String(bytes.length)])
  })

  it('says 404 for what is not there', async () => {
    expect((await ask(receiver, '/v1/episodes/none.tar.zst', { method: 'HEAD' })).status).toBe(404)
  })
})
