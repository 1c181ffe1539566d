/** Bodies that are long, slow, wrong, cut or unwanted, and what the client and the disk see of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../packages/agent/src/ship/client.ts'
import { loadIdentity } from '../../packages/agent/src/ship/identity.ts'
import { Connections } from '../../packages/receiver/src/http/connections.ts'
import { createListener } from '../../packages/receiver/src/http/listener.ts'
import { episode } from '../support/archives.ts'
import { TinyForgejo } from '../support/forgejo.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { type Headers, problemOf, put, requestHead, sha256, uploadHeaders, Wire } from '../support/wire.ts'

const mebibyte = 1 << 20
let site: Site
let receiver: TestReceiver

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
})
afterAll(() => site[Symbol.asyncDispose]())

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function head(id: string, body: Uint8Array, headers: Headers = {}): string {
  const common = { ...uploadHeaders(body, site.head), 'Content-Length': body.length }
  return requestHead('PUT', `/v1/episodes/${id}.tar.zst`, { ...common, ...headers })
}

describe('a refusal reaches a client that is still sending', () => {
  const blocks = 256

  it('256 MiB slowly: the agent has the 412 before it is through', async () => {
    const { host, caFile } = site.pki
    const files = { ca_file: caFile, cert_file: host.certFile, key_file: host.keyFile, token_file: '' }
    await using client = new Client({ url: receiver.url, identity: loadIdentity(files, undefined), connections: 1 })
    let sent = 0
    async function* slowly() {
      for (; sent < blocks; sent++) {
        yield new Uint8Array(mebibyte)
        await pause(10)
      }
    }
    const headers = {
      'content-length': String(blocks * mebibyte),
      'x-content-sha256': sha256('x'),
      'x-cis490-code-commit': site.tooOld,
    }
    const answer = await client.request('PUT', '/v1/episodes/big.tar.zst', { headers, body: slowly() })
    expect(answer).toMatchObject({ kind: 'answer', status: 412, problem: { code: 'commit-not-in-window' } })
    expect(sent).toBeLessThan(blocks)
  })

  it('256 MiB to the last byte before it reads: the 412 is there, and so is the connection', async () => {
    using wire = await Wire.connect(receiver)
    const headers = { 'Content-Length': blocks * mebibyte, 'X-Cis490-Code-Commit': site.tooOld }
    await wire.write(head('big', Buffer.alloc(0), headers))
    const block = Buffer.alloc(mebibyte)
    for (let k = 0; k < blocks; k++) await wire.write(block)
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([412, 'commit-not-in-window'])
    const body = episode('after-refusal', site.head)
    await wire.write(head('after-refusal', body))
    await wire.write(body)
    expect((await wire.answer()).status).toBe(201)
  })

  it('past drain_bytes the connection ends, after the answer', async () => {
    const short = await site.start({ limits: { drain_bytes: '1MiB' } })
    using wire = await Wire.connect(short)
    await wire.write(head('big', Buffer.alloc(0), { 'Content-Length': 64 * mebibyte, 'X-Cis490-Code-Commit': site.tooOld }))
    const block = Buffer.alloc(mebibyte)
    let sent = 0
    while (sent < 64 && !wire.socket.destroyed) {
      await wire.write(block)
      sent += 1
    }
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([412, 'commit-not-in-window'])
    await eventually(() => wire.socket.destroyed || wire.socket.readableEnded)
  })

  it('a request that is no HTTP is answered although its body keeps coming', async () => {
    using wire = await Wire.connect(receiver)
    await wire.write(requestHead('PUT', '/v1/episodes/\xc3\xbcber.tar.zst', { 'Content-Length': 4 * mebibyte }))
    for (let k = 0; k < 64; k++) {
      await wire.write(Buffer.alloc(64 << 10))
      await pause(1)
    }
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([400, 'bad-id'])
  })
})

describe('Expect: 100-continue', () => {
  it('brings the refusal without a byte of the body', async () => {
    using wire = await Wire.connect(receiver)
    const body = episode('expect', site.tooOld)
    await wire.write(head('expect', body, { Expect: '100-continue', 'X-Cis490-Code-Commit': site.tooOld }))
    const answer = await wire.answer()
    expect([answer.status, answer.headers['connection']]).toEqual([412, 'close'])
  })

  it('is answered with 100 when the upload may come', async () => {
    using wire = await Wire.connect(receiver)
    const body = episode('expect', site.head)
    await wire.write(head('expect', body, { Expect: '100-continue' }))
    expect((await wire.answer()).status).toBe(100)
    await wire.write(body)
    expect((await wire.answer()).status).toBe(201)
  })

  it('is not needed: nobody else gets a 100', async () => {
    expect((await put(receiver, 'unexpected', episode('unexpected', site.head), { commit: site.head })).status).toBe(201)
  })
})

describe('time', () => {
  it('bounds the headers only: a body may take longer than any request timeout', async () => {
    expect(
      createListener({ headerTimeout: 500, connections: new Connections(1), turnAway: () => undefined }, () => undefined)
        .requestTimeout,
    ).toBe(0)
    const hasty = await site.start({ limits: { header_timeout: '200ms' } })
    const body = episode('long', site.head, Buffer.from(Array.from({ length: 2000 }, (_, k) => (k * k) % 251)))
    using wire = await Wire.connect(hasty)
    await wire.write(head('long', body))
    // Node looks for late requests once a second: this outlives two looks.
    const steps = 25
    for (let k = 0; k < steps; k++) {
      await wire.write(body.subarray((body.length * k) / steps, (body.length * (k + 1)) / steps))
      await pause(100)
    }
    expect((await wire.answer()).status).toBe(201)
  })

  it('ends headers that do not come: 408', async () => {
    const hasty = await site.start({ limits: { header_timeout: '200ms' } })
    using wire = await Wire.connect(hasty)
    await wire.write('PUT /v1/episodes/x.tar.zst HTTP/1.1\r\nHost: localhost\r\n')
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([408, 'too-slow'])
  })

  it('ends a body that stalls: 408, and nothing is left', async () => {
    const strict = await site.start({ limits: { idle_timeout: '300ms' } })
    using wire = await Wire.connect(strict)
    const body = episode('stall', site.head)
    await wire.write(head('stall', body))
    await wire.write(body.subarray(0, 10))
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([408, 'too-slow'])
    expect(await strict.incoming()).toEqual([])
    expect(await strict.rejects()).toMatchObject([{ code: 'too-slow', bytes_read: 10 }])
  })

  it('ends a body that trickles below min_rate: 408', async () => {
    const strict = await site.start({ limits: { idle_timeout: '500ms', min_rate: '1MiB' } })
    using wire = await Wire.connect(strict)
    const body = episode('trickle', site.head, Buffer.alloc(5000, 1))
    await wire.write(head('trickle', body, { 'Content-Length': 5000 }))
    const answered = wire.answer()
    let open = true
    void answered.finally(() => {
      open = false
    })
    while (open) {
      await wire.write('x')
      await pause(20)
    }
    const answer = await answered
    expect([answer.status, problemOf(answer).code]).toEqual([408, 'too-slow'])
    expect(await strict.incoming()).toEqual([])
  })
})

describe('after a body that is wrong nothing is left', () => {
  it('of another hash, of other bytes, of a shorter body', async () => {
    const body = episode('wrong', site.head)
    const headers = { 'X-Content-SHA256': sha256(body) }
    for (const sent of [
      Buffer.concat([body, Buffer.from('x')]),
      body.subarray(0, -1),
      Buffer.alloc(body.length),
      Buffer.alloc(0),
    ]) {
      const answer = await put(receiver, 'wrong', sent, { commit: site.head, headers })
      expect([answer.status, problemOf(answer).code]).toEqual([400, 'sha256-mismatch'])
      expect(await receiver.incoming()).toEqual([])
    }
    expect((await put(receiver, 'wrong', body, { commit: site.head })).status).toBe(201)
  })

  it('of chunks that grow over the limit: 413 while they are counted', async () => {
    const small = await site.start({ max_episode_size: 100_000 })
    using wire = await Wire.connect(small)
    const headers = { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }
    await wire.write(head('grows', Buffer.alloc(0), headers))
    const chunk = Buffer.concat([Buffer.from('2710\r\n'), Buffer.alloc(10_000), Buffer.from('\r\n')])
    for (let k = 0; k < 11; k++) await wire.write(chunk)
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer)]).toEqual([413, expect.objectContaining({ code: 'too-large', max_bytes: 100_000 })])
    expect(await small.incoming()).toEqual([])
  })

  it.each(['destroy', 'end'] as const)('of a connection that is cut (%s), and the id is free again', async (how) => {
    const id = `cut-${how}`
    const body = episode(id, site.head, Buffer.alloc(3 * mebibyte, how))
    const wire = await Wire.connect(receiver)
    await wire.write(head(id, body))
    await wire.write(body.subarray(0, body.length / 2))
    await eventually(
      () => receiver.incoming(),
      (names) => names.length === 1,
    )
    wire.socket[how]()
    await eventually(
      () => receiver.incoming(),
      (names) => names.length === 0,
    )
    wire.socket.destroy()
    expect((await put(receiver, id, body, { commit: site.head })).status).toBe(201)
    expect((await receiver.index()).filter((row) => row['id'] === id)).toHaveLength(1)
    expect((await receiver.rejects()).filter((row) => row['id'] === id)).toEqual([])
  })

  it('of a connection that is cut while the gate is asked: noticed at once, not after the idle timeout', async () => {
    await using forge = await TinyForgejo.start()
    forge.push(2)
    const gate = { forgejo_url: forge.url, repo_owner: forge.owner, repo_name: forge.name, mode: 'observe', refresh: '1h' }
    const asking = await site.start({ version_gate: gate, limits: { idle_timeout: '10m' } })
    forge.fault = 'slow'
    const before = forge.requests.length
    const body = episode('early-cut', 'e'.repeat(40))
    const wire = await Wire.connect(asking)
    await wire.write(head('early-cut', body, { 'X-Cis490-Code-Commit': 'e'.repeat(40) }))
    await eventually(() => forge.requests.length > before)
    wire.socket.destroy()
    await eventually(() => asking.log.lines.find((line) => line['event'] === 'cut' && line['id'] === 'early-cut'))
    expect(await asking.incoming()).toEqual([])
  })
})
