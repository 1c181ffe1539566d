/** Reports of the hosts' doctors: taken whatever the host's state, kept as sent. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../packages/agent/src/ship/client.ts'
import { loadIdentity } from '../../packages/agent/src/ship/identity.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { ask, jsonOf, problemOf, requestHead, Wire, type WireAnswer } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
const path = '/v1/host-health/lab-07'

beforeAll(async () => {
  site = await Site.make()
  // No commit set at all: a report is not gated.
  const nowhere = { forgejo_url: 'http://127.0.0.1:1', repo_owner: 'o', repo_name: 'r' }
  receiver = await site.start({ version_gate: nowhere })
})
afterAll(() => site[Symbol.asyncDispose]())

const report = (body: string, target = path) => ask(receiver, target, { method: 'PUT', body })
const stored = () => readFileSync(join(receiver.stateDir, 'host-health', 'lab-07.json'), 'utf8')

function expectBad(answer: WireAnswer): void {
  expect([answer.status, problemOf(answer).code]).toEqual([400, 'bad-report'])
}

describe('a report', () => {
  it('is kept as sent, without a commit set, and given back byte for byte', async () => {
    const odd = ' {"host":"LAB-07", "unknown" : [1,2],\n"sequence":1 , "report_epoch":"a"}\n'
    const answer = await report(odd)
    expect([answer.status, answer.body.length]).toEqual([204, 0])
    expect(stored()).toBe(odd)
    const got = await ask(receiver, path)
    expect([got.status, got.body.toString()]).toEqual([200, odd])
    expect(readdirSync(join(receiver.stateDir, 'host-health'))).toEqual(['lab-07.json'])
  })

  it('is taken under every spelling of its path', async () => {
    for (const target of ['/v1/host-health/lab%2D07', `${path}?x=1`, '/v1/host-health/LAB-07'])
      expect((await report(JSON.stringify({ target }), target)).status).toBe(204)
    expect(stored()).toContain('LAB-07')
    expect((await report('{}', '/v1/host-health/lab-07/more')).status).toBe(404)
  })

  it('is sent by the agent', async () => {
    const { host, caFile } = site.pki
    const files = { ca_file: caFile, cert_file: host.certFile, key_file: host.keyFile, token_file: '' }
    await using client = new Client({ url: receiver.url, identity: loadIdentity(files, undefined), connections: 1 })
    const answer = await client.putReport('lab-07', '{"outcome":"ok"}')
    expect(answer).toMatchObject({ kind: 'answer', status: 204 })
    expect(stored()).toBe('{"outcome":"ok"}')
  })

  it('that is older is ignored, and the sequence that is known is told', async () => {
    const of = (sequence: unknown, report_epoch: unknown = 'epoch-1') => JSON.stringify({ sequence, report_epoch })
    expect((await report(of(7))).status).toBe(204)
    const older = await report(of(6))
    expect([older.status, jsonOf(older)]).toEqual([200, { ignored: true, stored_sequence: 7 }])
    expect(stored()).toBe(of(7))
    expect((await report(of(7))).status).toBe(204)
    expect((await report(of(8))).status).toBe(204)
    // A state folder that was made anew starts its count again.
    expect((await report(of(1, 'epoch-2'))).status).toBe(204)
    expect(stored()).toBe(of(1, 'epoch-2'))
    expect((await report(of('none', 'epoch-2'))).status).toBe(204)
    expect((await report('{}')).status).toBe(204)
  })

  it.each(['', 'no json', '[]', '"text"', 'null', '{"host":"lab-08"}', '{"host":5}', '{"host":"lab-07"'])(
    'that is %j is a bad-report, and the last good one stays',
    async (body) => {
      await report('{"good":1}')
      expectBad(await report(body))
      expect(stored()).toBe('{"good":1}')
    },
  )

  it('for a path that is no host name is a bad-report', async () => {
    expectBad(await report('{}', '/v1/host-health/..%2f..%2fx'))
    expectBad(await report('{}', '/v1/host-health/%00'))
  })

  it('of more than 256 KiB is too-large; one of exactly that is not', async () => {
    const ofSize = (bytes: number) => `{"x":"${'y'.repeat(bytes - 8)}"}`
    expect((await report(ofSize(256 << 10))).status).toBe(204)
    const answer = await report(ofSize((256 << 10) + 1))
    expect([answer.status, problemOf(answer)]).toEqual([
      413,
      expect.objectContaining({ code: 'too-large', max_bytes: 256 << 10 }),
    ])
  })

  it('that is refused while it is still sent gets its answer', async () => {
    using wire = await Wire.connect(receiver)
    const mebibyte = Buffer.alloc(1 << 20, ' ')
    await wire.write(requestHead('PUT', '/v1/host-health/lab-08', { 'Content-Length': 16 * mebibyte.length }))
    for (let k = 0; k < 16; k++) await wire.write(mebibyte)
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([403, 'wrong-host'])
  })

  it('of many at once is one of them, whole', async () => {
    const bodies = Array.from({ length: 10 }, (_, k) => JSON.stringify({ k, pad: 'z'.repeat(20_000 + k) }))
    const answers = await Promise.all(bodies.map((body) => report(body)))
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 204))
    expect(bodies).toContain(stored())
    expect(readdirSync(join(receiver.stateDir, 'host-health'))).toEqual(['lab-07.json'])
  })

  it('that stalls is ended: 408', async () => {
    const hasty = await site.start({ limits: { idle_timeout: '200ms' } })
    using wire = await Wire.connect(hasty)
    await wire.write(`${requestHead('PUT', path, { 'Content-Length': 100 })}{`)
    const answer = await wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([408, 'too-slow'])
  })
})

describe('all reports', () => {
  it('come with the time of their arrival and their age', async () => {
    await report('{"outcome":"ok"}')
    const answer = jsonOf(await ask(receiver, '/v1/host-health'))
    const { 'lab-07': mine } = answer['hosts'] as Record<string, { received_at: string; age_s: number; report: unknown }>
    expect(mine?.report).toEqual({ outcome: 'ok' })
    expect(Date.now() - Date.parse(mine?.received_at ?? '')).toBeLessThan(60_000)
    expect(mine?.age_s).toBeGreaterThanOrEqual(0)
    expect(Date.parse(String(answer['generated_at']))).toBeGreaterThanOrEqual(Date.parse(mine?.received_at ?? ''))
  })

  it.each([
    ['/v1/host-health', 'PUT', 'GET, HEAD'],
    ['/v1/host-health/lab-07', 'DELETE', 'GET, HEAD, PUT'],
    ['/v1/host-health/lab-07', 'POST', 'GET, HEAD, PUT'],
    ['/v1/gate', 'PUT', 'GET, HEAD'],
  ])('%s does not take %s', async (target, method, allow) => {
    const answer = await ask(receiver, target, { method, body: '{}' })
    expect([answer.status, problemOf(answer).code, answer.headers['allow']]).toEqual([405, 'method-not-allowed', allow])
  })
})
