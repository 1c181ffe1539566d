/** Each MUST of draft-ietf-httpbis-resumable-upload that is a server's, under the name of its section. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { append, create, created, creationHeaders, look, partHeaders, stateOf } from '../support/uploads.ts'
import { ask, jsonOf, problemOf, requestHead, sha256, Wire } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
const registry = 'https://iana.org/assignments/http-problem-types#'

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start({ limits: { uploads_per_host: 64 } })
})
afterAll(() => site[Symbol.asyncDispose]())

/** An open upload with some bytes in it. */
async function opened(id: string, arrived = 0): Promise<{ bytes: Buffer; path: string }> {
  const bytes = episode(id, site.head, createHash('sha512').update(id).digest())
  const path = await created(receiver, id, bytes, { commit: site.head })
  if (arrived > 0) expect((await append(receiver, path, 0, bytes.subarray(0, arrived))).status).toBe(204)
  return { bytes, path }
}

/** Begins an append and sends only some of its body. */
async function stuck(path: string, offset: number, length: number, sent: Uint8Array, complete = false): Promise<Wire> {
  const wire = await Wire.connect(receiver)
  await wire.write(
    requestHead('PATCH', path, { ...partHeaders(offset, complete), 'Content-Length': length, Expect: '100-continue' }),
  )
  expect((await wire.answer('PATCH')).status).toBe(100)
  await wire.write(sent)
  return wire
}

function digestOf(bytes: Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
}

describe('section Offset', () => {
  it.each(['abc', '-1', '1.0', '"0"', '?0', '0, 0', ''])(
    'other values than a non-negative Integer MUST cause the field to be ignored: %s',
    async (value) => {
      const { bytes, path } = await opened(`offset-${createHash('md5').update(value).digest('hex')}`)
      const answer = await append(receiver, path, 0, bytes, { headers: { 'Upload-Offset': value } })
      expect([answer.status, problemOf(answer).code]).toEqual([400, 'bad-append'])
      expect(stateOf(await look(receiver, path))).toEqual([204, 0, '?0'])
    },
  )

  it('parameters of an Item are known to nobody and change nothing (RFC 9651)', async () => {
    const { bytes, path } = await opened('parameters')
    const headers = { 'Upload-Offset': '0;a="x;y"; b=?1', 'Upload-Complete': '?0;c' }
    expect(stateOf(await append(receiver, path, 0, bytes.subarray(0, 5), { headers }))).toEqual([204, 5, '?0'])
  })

  it('the offset MUST NOT decrease', async () => {
    const { bytes, path } = await opened('never-down', 50)
    for (const offset of [0, 49, 51]) {
      expect((await append(receiver, path, offset, bytes.subarray(offset, offset + 9))).status).toBe(409)
      expect(stateOf(await look(receiver, path))).toEqual([204, 50, '?0'])
    }
  })
})

describe('section Completeness', () => {
  it.each(['1', 'true', '?2', '"?1"', '?1 ?1'])(
    'other values than a Boolean MUST cause the field to be ignored: %s',
    async (value) => {
      const { bytes, path } = await opened(`complete-${createHash('md5').update(value).digest('hex')}`)
      const answer = await append(receiver, path, 0, bytes, { headers: { 'Upload-Complete': value } })
      expect([answer.status, problemOf(answer).code]).toEqual([400, 'bad-append'])
    },
  )

  it('a PUT whose Upload-Complete is to be ignored is a plain PUT', async () => {
    const bytes = episode('ignored', site.head)
    const answer = await create(receiver, 'ignored', bytes, {
      commit: site.head,
      body: bytes,
      headers: { 'Upload-Complete': 'no' },
    })
    expect([answer.status, answer.headers['location']]).toEqual([201, '/v1/episodes/ignored.tar.zst'])
    expect(answer.headers['upload-complete']).toBeUndefined()
  })
})

describe('section Length', () => {
  it('length and offset do not determine whether an upload is complete: that is said', async () => {
    const { bytes, path } = await opened('said')
    expect(stateOf(await append(receiver, path, 0, bytes))).toEqual([204, bytes.length, '?0'])
    expect(stateOf(await look(receiver, path))).toEqual([204, bytes.length, '?0'])
    expect((await receiver.index()).some((row) => row['id'] === 'said')).toBe(false)
    const done = await append(receiver, path, bytes.length, Buffer.alloc(0), { complete: true })
    expect([done.status, done.headers['upload-complete'], jsonOf(done)['sha256']]).toEqual([201, '?1', sha256(bytes)])
  })

  it('Content-Length with ?1 and Upload-Length MUST match', async () => {
    const { bytes, path } = await opened('disagree', 10)
    const answer = await append(receiver, path, 10, bytes.subarray(10, 20), { complete: true })
    expect([answer.status, answer.headers['upload-complete']]).toEqual([400, '?0'])
    expect(problemOf(answer)).toMatchObject({ code: 'inconsistent-upload-length', type: `${registry}inconsistent-upload-length` })
    expect(stateOf(await look(receiver, path))).toEqual([204, 10, '?0'])
  })

  it('the values of several requests MUST match', async () => {
    const { bytes, path } = await opened('changed', 10)
    const part = { headers: { 'Upload-Length': bytes.length + 1 } }
    const answer = await append(receiver, path, 10, bytes.subarray(10, 20), part)
    expect([answer.status, problemOf(answer).code]).toEqual([400, 'inconsistent-upload-length'])
    expect(stateOf(await look(receiver, path))).toEqual([204, 10, '?0'])
  })

  it('they MUST match on a plain PUT too, and in a creation the body MUST NOT be longer', async () => {
    const bytes = episode('plain-length', site.head)
    const headers = { 'Upload-Complete': '?1', 'Upload-Length': bytes.length + 1 }
    const plain = await create(receiver, 'plain-length', bytes, { commit: site.head, body: bytes, headers })
    expect([plain.status, problemOf(plain).code]).toEqual([400, 'inconsistent-upload-length'])
    const longer = await create(receiver, 'plain-length', bytes, { commit: site.head, body: Buffer.concat([bytes, bytes]) })
    expect([longer.status, problemOf(longer).code]).toEqual([400, 'inconsistent-upload-length'])
  })

  it('a chunked last part that ends early does not complete the upload, and what came stays', async () => {
    const { bytes, path } = await opened('early-end')
    using wire = await Wire.connect(receiver)
    await wire.write(requestHead('PATCH', path, { ...partHeaders(0, true), 'Transfer-Encoding': 'chunked' }))
    await wire.write('5\r\n')
    await wire.write(bytes.subarray(0, 5))
    await wire.write('\r\n0\r\n\r\n')
    const answer = await wire.answer('PATCH')
    expect([answer.status, problemOf(answer).code]).toEqual([400, 'inconsistent-upload-length'])
    expect(stateOf(await look(receiver, path))).toEqual([204, 5, '?0'])
  })
})

describe('section Limits', () => {
  it('OPTIONS without Upload-Complete MUST tell the limits', async () => {
    const answer = await ask(receiver, '/v1/episodes/anything.tar.zst', { method: 'OPTIONS' })
    expect([answer.status, answer.headers['upload-limit']]).toEqual([204, `max-size=${64 * 2 ** 30}, max-age=604800`])
    expect(answer.headers['allow']).toContain('PUT')
  })

  it('a 413 has the limits too', async () => {
    const bytes = episode('huge', site.head)
    const answer = await create(receiver, 'huge', bytes, { commit: site.head, headers: { 'Upload-Length': 64 * 2 ** 30 + 1 } })
    expect([answer.status, problemOf(answer).code]).toEqual([413, 'too-large'])
    expect(answer.headers['upload-limit']).toMatch(/^max-size=68719476736, max-age=\d+$/)
  })
})

describe('section Upload Creation', () => {
  it('with ?0 the answer MUST include Location and Upload-Limit; 201', async () => {
    const bytes = episode('made', site.head)
    const answer = await create(receiver, 'made', bytes, { commit: site.head })
    expect(stateOf(answer)).toEqual([201, 0, '?0'])
    expect(answer.headers['location']).toMatch(/^\/v1\/uploads\/[0-9a-f]{32}$/)
    expect(answer.headers['upload-limit']).toMatch(/^max-size=\d+, max-age=\d+$/)
  })

  it('the length MUST be recorded; without one there is no upload', async () => {
    const { bytes, path } = await opened('recorded')
    expect((await look(receiver, path)).headers['upload-length']).toBe(String(bytes.length))
    for (const value of [undefined, '-5', 'many']) {
      const answer = await create(receiver, 'no-length', bytes, { commit: site.head, headers: { 'Upload-Length': value } })
      expect([answer.status, problemOf(answer).code]).toEqual([400, 'upload-length-missing'])
    }
  })

  it('content is appended at creation; interrupted, as much as came is kept, and the upload MUST NOT be complete', async () => {
    const bytes = episode('with-content', site.head, Buffer.alloc(3 << 20, 'telemetry of a kind'))
    const whole = await create(receiver, 'with-content', bytes, { commit: site.head, body: bytes.subarray(0, 40) })
    expect(stateOf(whole)).toEqual([201, 40, '?0'])
    const other = episode('cut-content', site.head, createHash('sha512').update('x').digest())
    using wire = await Wire.connect(receiver)
    // Asked for: what comes and is cut before somebody listens is lost.
    const headers = { ...creationHeaders(other, site.head), 'Content-Length': other.length, Expect: '100-continue' }
    await wire.write(requestHead('PUT', '/v1/episodes/cut-content.tar.zst', headers))
    expect((await wire.answer('PUT')).status).toBe(100)
    await wire.write(other.subarray(0, 30))
    const sees = () => receiver.log.lines.find((line) => line['event'] === 'upload-created' && line['id'] === 'cut-content')
    const path = `/v1/uploads/${(await eventually(sees))?.['upload']}`
    // Not `destroy`: a reset takes bytes with it that the receiver has not read yet.
    wire.socket.end()
    // The first answer may come before the bytes did; what it tells never goes down.
    await eventually(
      () => look(receiver, path),
      (answer) => stateOf(answer)[1] === 30,
    )
    expect(stateOf(await look(receiver, path))).toEqual([204, 30, '?0'])
  })
})

describe('section Offset Retrieval', () => {
  it.each(['HEAD', 'GET'])(
    'an answer to %s MUST have offset, completeness, length and limits, and is not cached',
    async (method) => {
      const { bytes, path } = await opened(`retrieve-${method}`, 12)
      const answer = await ask(receiver, path, { method })
      expect(stateOf(answer)).toEqual([204, 12, '?0'])
      expect(answer.headers).toMatchObject({ 'upload-length': String(bytes.length), 'cache-control': 'no-store' })
      expect(answer.headers['upload-limit']).toMatch(/^max-size=\d+, max-age=\d+$/)
    },
  )
})

describe('section Upload Append', () => {
  it('a wrong offset MUST be rejected with 409, the right Upload-Offset and Upload-Complete: ?0', async () => {
    const { bytes, path } = await opened('wrong-offset', 20)
    const answer = await append(receiver, path, 30, bytes.subarray(30))
    expect(stateOf(answer)).toEqual([409, 20, '?0'])
    expect(answer.headers['upload-limit']).toMatch(/^max-size=/)
    expect(problemOf(answer)).toMatchObject({
      type: `${registry}mismatching-upload-offset`,
      code: 'mismatching-upload-offset',
      'expected-offset': 20,
      'provided-offset': 30,
    })
  })

  it('a wrong offset is rejected with ?0 on a completed upload too', async () => {
    const { bytes, path } = await opened('wrong-after')
    expect((await append(receiver, path, 0, bytes, { complete: true })).status).toBe(201)
    const answer = await append(receiver, path, 3, bytes.subarray(3, 9))
    expect(stateOf(answer)).toEqual([409, bytes.length, '?0'])
  })

  it('the answer of the target, an error too, MUST have Upload-Complete: ?1', async () => {
    const bytes = Buffer.from('this is no archive')
    const path = await created(receiver, 'no-archive', bytes, { commit: site.head })
    const answer = await append(receiver, path, 0, bytes, { complete: true })
    expect([answer.status, problemOf(answer).code, answer.headers['upload-complete']]).toEqual([422, 'invalid-episode', '?1'])
  })

  it.each(['Content-Length', 'Transfer-Encoding'])(
    'the offset MUST NOT exceed the length: the request is rejected and the upload invalid (%s)',
    async (framing) => {
      const { bytes, path } = await opened(`beyond-${framing}`, 10)
      const more = Buffer.concat([bytes.subarray(10), Buffer.from('beyond')])
      using wire = await Wire.connect(receiver)
      const chunked = framing !== 'Content-Length'
      const length = chunked ? 'chunked' : String(more.length)
      await wire.write(requestHead('PATCH', path, { ...partHeaders(10), [framing]: length }))
      await wire.write(
        chunked ? Buffer.concat([Buffer.from(`${more.length.toString(16)}\r\n`), more, Buffer.from('\r\n0\r\n\r\n')]) : more,
      )
      const answer = await wire.answer('PATCH')
      expect([answer.status, problemOf(answer).code]).toEqual([400, 'inconsistent-upload-length'])
      expect((await look(receiver, path)).status).toBe(404)
      expect((await append(receiver, path, 10, bytes.subarray(10), { complete: true })).status).toBe(404)
    },
  )

  it('another media type gets 415 with Accept-Patch (RFC 5789), another coding 415', async () => {
    const { bytes, path } = await opened('media')
    const answer = await append(receiver, path, 0, bytes, { headers: { 'Content-Type': 'application/zstd' } })
    expect([answer.status, problemOf(answer).code]).toEqual([415, 'unsupported-media-type'])
    expect(answer.headers['accept-patch']).toBe('application/partial-upload')
    const coded = await append(receiver, path, 0, bytes, { headers: { 'Content-Encoding': 'gzip' } })
    expect([coded.status, problemOf(coded).code]).toEqual([415, 'content-encoding'])
  })

  it('interrupted, as much as came is kept and MUST NOT be complete', async () => {
    const { bytes, path } = await opened('interrupted')
    using wire = await stuck(path, 0, bytes.length, bytes.subarray(0, bytes.length - 1), true)
    wire.socket.end()
    await eventually(() => receiver.log.lines.some((line) => line['event'] === 'cut' && line['id'] === 'interrupted'))
    expect(stateOf(await look(receiver, path))).toEqual([204, bytes.length - 1, '?0'])
    const rest = await append(receiver, path, bytes.length - 1, bytes.subarray(-1), { complete: true })
    expect(rest.status).toBe(201)
  })
})

describe('section Upload Cancellation', () => {
  it('DELETE ends requests that run, deactivates the upload, and leaves nothing', async () => {
    const { bytes, path } = await opened('cancelled', 5)
    using wire = await stuck(path, 5, 40, bytes.subarray(5, 10))
    expect((await ask(receiver, path, { method: 'DELETE' })).status).toBe(204)
    await expect(wire.answer('PATCH')).rejects.toThrow('ended')
    const later = await look(receiver, path)
    expect(later.status).toBe(404)
    const appended = await append(receiver, path, 10, bytes.subarray(10))
    expect([appended.status, problemOf(appended).code]).toEqual([404, 'upload-gone'])
    expect((await ask(receiver, path, { method: 'DELETE' })).status).toBe(404)
  })
})

describe('section Concurrency', () => {
  it('an offset that was told while an append ran MUST be accepted, and the older append ends', async () => {
    const { bytes, path } = await opened('asked-meanwhile')
    using wire = await stuck(path, 0, 40, bytes.subarray(0, 25))
    const [status, offset] = stateOf(await look(receiver, path))
    expect([status, offset <= 25]).toEqual([204, true])
    await expect(wire.answer('PATCH')).rejects.toThrow('ended')
    expect((await append(receiver, path, offset, bytes.subarray(offset), { complete: true })).status).toBe(201)
  })

  it('a newer append ends the older; their bytes never mix', async () => {
    const { bytes, path } = await opened('newer-append')
    using wire = await stuck(path, 0, bytes.length, Buffer.alloc(25, 'x'))
    // The offset that the newer one needs is the one that the older leaves behind.
    const newer = await append(receiver, path, 0, bytes, { complete: true })
    await expect(wire.answer('PATCH')).rejects.toThrow('ended')
    if (newer.status === 409) {
      const [, offset] = stateOf(newer)
      expect(offset).toBe(25)
      const end = await append(receiver, path, offset, bytes.subarray(offset), { complete: true })
      expect([end.status, problemOf(end).code]).toEqual([400, 'sha256-mismatch'])
    } else expect(newer.status).toBe(201)
  })

  it('a creation of the same upload ends an append that hangs', async () => {
    const { bytes, path } = await opened('created-again')
    using wire = await stuck(path, 0, 40, bytes.subarray(0, 25))
    const again = await create(receiver, 'created-again', bytes, { commit: site.head })
    expect([again.status, again.headers['location']]).toEqual([201, path])
    await expect(wire.answer('PATCH')).rejects.toThrow('ended')
    expect((await append(receiver, path, stateOf(again)[1], bytes.subarray(stateOf(again)[1]), { complete: true })).status).toBe(
      201,
    )
  })

  it('of many appends at one offset exactly one gets in', async () => {
    const { bytes, path } = await opened('race')
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => append(receiver, path, 0, bytes.subarray(0, 30))))
    const statuses = answers.map((one) => (one.status === 'fulfilled' ? one.value.status : 'ended'))
    expect(statuses.filter((status) => status === 204).length).toBeLessThanOrEqual(1)
    const [, offset] = stateOf(await look(receiver, path))
    expect(offset).toBe(30)
    expect((await append(receiver, path, offset, bytes.subarray(offset), { complete: true })).status).toBe(201)
  })
})

describe('section Status Code 104', () => {
  it('none is sent, whatever the interop version; 100-continue MUST NOT be left out', async () => {
    const bytes = episode('no-104', site.head)
    for (const [id, complete] of [['no-104', '?1'] as const, ['no-104-part', '?0'] as const]) {
      const archive = id === 'no-104' ? bytes : episode(id, site.head)
      using wire = await Wire.connect(receiver)
      const headers = { ...creationHeaders(archive, site.head), 'Upload-Complete': complete, 'Content-Length': archive.length }
      await wire.write(requestHead('PUT', `/v1/episodes/${id}.tar.zst`, { ...headers, Expect: '100-continue' }))
      expect((await wire.answer()).status).toBe(100)
      await wire.write(archive)
      const answer = await wire.answer()
      expect([answer.status, answer.headers['upload-complete']]).toEqual([201, complete])
    }
  })
})

describe('section Transfer Codings', () => {
  it('chunks are decoded before the offset is computed', async () => {
    const { bytes, path } = await opened('chunks')
    using wire = await Wire.connect(receiver)
    await wire.write(requestHead('PATCH', path, { ...partHeaders(0), 'Transfer-Encoding': 'chunked' }))
    for (const piece of [bytes.subarray(0, 7), bytes.subarray(7, 20)]) {
      await wire.write(`${piece.length.toString(16)}\r\n`)
      await wire.write(piece)
      await wire.write('\r\n')
    }
    await wire.write('0\r\n\r\n')
    expect(stateOf(await wire.answer('PATCH'))).toEqual([204, 20, '?0'])
  })
})

describe('section Integrity Digests', () => {
  it('a part with a wrong Content-Digest is not appended, one with the right is', async () => {
    const { bytes, path } = await opened('digest', 10)
    const part = bytes.subarray(10, 60)
    const wrong = await append(receiver, path, 10, part, { headers: { 'Content-Digest': digestOf(Buffer.from('other')) } })
    expect(stateOf(wrong)).toEqual([400, 10, '?0'])
    expect(problemOf(wrong).code).toBe('sha256-mismatch')
    expect(stateOf(await look(receiver, path))).toEqual([204, 10, '?0'])
    const right = await append(receiver, path, 10, part, { headers: { 'Content-Digest': digestOf(part) } })
    expect(stateOf(right)).toEqual([204, 60, '?0'])
    const unreadable = await append(receiver, path, 60, part, { headers: { 'Content-Digest': 'sha-256=?' } })
    expect([unreadable.status, problemOf(unreadable).code]).toEqual([400, 'bad-append'])
    expect((await append(receiver, path, 60, bytes.subarray(60), { complete: true })).status).toBe(201)
  })

  it('a whole that does not have the hash that was told at creation fails, with ?1', async () => {
    const bytes = episode('representation', site.head)
    const other = Buffer.from(bytes)
    other.writeUInt8(other.readUInt8(20) ^ 1, 20)
    const path = await created(receiver, 'representation', bytes, { commit: site.head })
    const answer = await append(receiver, path, 0, other, { complete: true })
    expect([answer.status, problemOf(answer).code, answer.headers['upload-complete']]).toEqual([400, 'sha256-mismatch', '?1'])
  })
})

describe('section Security Considerations', () => {
  it('the place of an upload cannot be guessed and holds nothing of the inside', async () => {
    const names = new Set<string>()
    for (const id of ['guess-a', 'guess-b', 'guess-c']) names.add((await opened(id)).path)
    expect(names.size).toBe(3)
    for (const name of names) expect(name).toMatch(/^\/v1\/uploads\/[0-9a-f]{32}$/)
  })
})
