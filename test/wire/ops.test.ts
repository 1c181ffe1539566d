/** The operator's listener: plain, on loopback, to read from; and the gate's answers on both. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { ask, jsonOf, problemOf, put, type Reachable, requestHead, Wire } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
let ops: Reachable

beforeAll(async () => {
  site = await Site.make()
  const secret = join(site.root, 'webhook-secret')
  writeFileSync(secret, 'shared secret\n')
  receiver = await site.start({
    version_gate: { repo_path: site.repo.path, window: 3, refresh: '1h', webhook_secret_file: secret },
  })
  ops = { url: receiver.opsUrl, pki: site.pki }
  await put(receiver, 'ep', episode('ep', site.head), { commit: site.head })
  await put(receiver, 'old', episode('old', site.tooOld), { commit: site.tooOld })
  await ask(receiver, '/v1/host-health/lab-07', { method: 'PUT', body: '{"outcome":"ok"}' })
})
afterAll(() => site[Symbol.asyncDispose]())

describe('the ops listener', () => {
  it('says that it is alive and ready', async () => {
    expect((await ask(ops, '/healthz')).status).toBe(200)
    expect(jsonOf(await ask(ops, '/readyz'))).toEqual({ ready: true, reasons: [] })
  })

  it('counts in Prometheus text', async () => {
    const answer = await ask(ops, '/metrics')
    expect(answer.headers['content-type']).toMatch(/^text\/plain/)
    const text = answer.body.toString()
    expect(text).toMatch(/^cis490_\w*refused\w*\{code="commit-not-in-window"\} 1$/m)
    expect(text).toMatch(/^cis490_\w*stored_total 1$/m)
  })

  it('serves the GET routes, of every host', async () => {
    expect((await ask(ops, '/v1/episodes/ep.tar.zst?host=lab-07')).body).toEqual(
      (await ask(receiver, '/v1/episodes/ep.tar.zst')).body,
    )
    expect((await ask(ops, '/v1/episodes/ep.tar.zst?host=lab-07', { method: 'HEAD' })).status).toBe(200)
    expect((await ask(ops, '/v1/episodes/ep.tar.zst?host=lab-08')).status).toBe(404)
    expect((await ask(ops, '/v1/host-health/lab-07')).body.toString()).toBe('{"outcome":"ok"}')
    expect(Object.keys(jsonOf(await ask(ops, '/v1/host-health'))['hosts'] as object)).toEqual(['lab-07'])
  })

  it.each([
    ['/v1/episodes/x.tar.zst', 'GET, HEAD'],
    ['/v1/host-health/lab-07', 'GET, HEAD'],
    ['/healthz', 'GET, HEAD'],
    ['/metrics', 'GET, HEAD'],
    ['/v1/hooks/forgejo', 'POST'],
  ])('takes no PUT on %s', async (target, allow) => {
    const answer = await ask(ops, target, { method: 'PUT', body: 'x' })
    expect([answer.status, problemOf(answer).code, answer.headers['allow']]).toEqual([405, 'method-not-allowed', allow])
  })

  it('says not-found for the rest; the receiver does not serve its routes', async () => {
    expect(problemOf(await ask(ops, '/nothing')).code).toBe('not-found')
    for (const target of ['/healthz', '/readyz', '/metrics', '/v1/hooks/forgejo'])
      expect(problemOf(await ask(receiver, target)).code).toBe('not-found')
  })
})

describe('the gate', () => {
  it('tells its state', async () => {
    for (const at of [ops, receiver])
      expect(jsonOf(await ask(at, '/v1/gate'))).toEqual({
        mode: 'enforce',
        branch: 'main',
        head: site.head,
        window: 3,
        size: 3,
        fetched_at: expect.any(String),
        age_s: expect.any(Number),
        source: 'git',
        failures: 0,
      })
  })

  it('answers for a commit', async () => {
    const of = async (commit: string) => jsonOf(await ask(receiver, `/v1/gate?commit=${commit}`))
    expect(await of(site.commits[2] as string)).toMatchObject({ verdict: 'accept', position: 3, head_commit: site.head })
    const refused = await of(site.tooOld)
    expect(refused).toMatchObject({ verdict: 'refuse', code: 'commit-not-in-window', head_commit: site.head })
    expect(refused['remediation']).toContain('git pull origin main')
    expect(await of('nonsense')).toMatchObject({ verdict: 'refuse', code: 'commit-malformed' })
  })

  it('looks at once when a signed push is announced, and only then', async () => {
    const pushed = site.repo.commit()
    const body = JSON.stringify({ ref: 'refs/heads/main', after: pushed })
    const sign = (secret: string) => createHmac('sha256', secret).update(body).digest('hex')
    const send = (headers: Record<string, string>) => ask(ops, '/v1/hooks/forgejo', { method: 'POST', body, headers })
    for (const headers of [{}, { 'X-Forgejo-Signature': sign('guess') }, { 'X-Forgejo-Signature': 'zz' }] as Record<
      string,
      string
    >[])
      expect(problemOf(await send(headers)).code).toBe('unauthorized')
    expect((await receiver.gate()).head).toBe(site.head)
    expect((await send({ 'X-Gitea-Signature': sign('shared secret') })).status).toBe(204)
    await eventually(
      () => receiver.gate(),
      ({ head }) => head === pushed,
    )
  })
})

describe('a probe of another make', () => {
  const raw = (request: string) =>
    new Promise<string>((resolve, reject) => {
      const { hostname, port } = new URL(receiver.opsUrl)
      let text = ''
      const socket = connect(Number(port), hostname, () => socket.write(request))
      socket.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      socket.on('close', () => resolve(text)).on('error', reject)
    })

  it('that speaks HTTP/1.0 and names no host gets its answer', async () => {
    expect(await raw('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK.*\r\nok\n$/s)
  })

  it('that asks for a target which is no path gets problem JSON', async () => {
    expect(await raw('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 40\d .*"code":"not-found"/s,
    )
  })

  it('for a host whose name is too long for a file is told that it has not reported', async () => {
    const answer = await ask(ops, `/v1/host-health/${'a'.repeat(252)}`)
    expect([answer.status, problemOf(answer).code]).toEqual([404, 'not-found'])
  })
})

it('a refused client that trickles a body on a GET is cut after drain_time', async () => {
  const strict = await site.start({ limits: { drain_time: '300ms' } })
  using wire = await Wire.connect(strict, null)
  await wire.write(requestHead('GET', '/v1/gate', { 'Content-Length': 100_000 }))
  expect((await wire.answer()).status).toBe(403)
  const trickle = setInterval(() => void wire.write('x').catch(() => undefined), 50)
  await once(wire.socket, 'close')
  clearInterval(trickle)
})
