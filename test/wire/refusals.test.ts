/** Each refusal that is decided before the body, over real TLS, and which of several comes first. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ProblemCode, problems } from '@cis490/shared/problems.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { ask, type Headers, problemOf, put, requestHead, sha256, uploadHeaders, Wire, type WireAnswer } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start({ max_episode_size: 100_000 })
})
afterAll(() => site[Symbol.asyncDispose]())

function expectRefusal(answer: WireAnswer, code: ProblemCode): void {
  const told = problemOf(answer)
  expect({ code: told.code, status: answer.status }).toEqual({ code, status: problems[code].status })
  expect(told).toMatchObject({
    type: `https://cis490.invalid/problems/${code}`,
    title: problems[code].title,
    status: answer.status,
  })
  expect(told.detail.length).toBeGreaterThan(0)
}

const remediation = [
  'cd /opt/cis490 && sudo -u cis490 git pull origin main',
  'sudo /opt/cis490/scripts/install-lab-host.sh',
  'sudo systemctl restart cis490-orchestrator',
].join('\n')

describe('the gate', () => {
  it('refuses an upload without a stamp, with the remediation', async () => {
    const answer = await put(receiver, 'x', episode('x', undefined))
    expectRefusal(answer, 'commit-missing')
    expect(problemOf(answer).remediation?.trim()).toBe(remediation)
  })

  it.each(['deadbeef', 'g'.repeat(40), 'main', '0'.repeat(41)])('refuses the stamp %s as malformed', async (commit) => {
    const answer = await put(receiver, 'x', episode('x', undefined), { commit })
    expectRefusal(answer, 'commit-malformed')
    expect(problemOf(answer).remediation?.trim()).toBe(remediation)
  })

  it('refuses a commit that has left the window, and one that never was', async () => {
    for (const commit of [site.tooOld, 'f'.repeat(40)]) {
      const answer = await put(receiver, 'x', episode('x', commit), { commit })
      expectRefusal(answer, 'commit-not-in-window')
      expect(problemOf(answer)).toMatchObject({ your_commit: commit, head_commit: site.head, window: 3 })
      expect(problemOf(answer).remediation?.trim()).toBe(remediation)
    }
  })

  it('refuses a commit on the deny list although it is in the window', async () => {
    const deny = join(site.root, 'deny.toml')
    writeFileSync(deny, `[[deny]]\ncommit = "${site.head}"\nreason = "wrong clock"\nby = "someone"\n`)
    const strict = await site.start({ version_gate: { repo_path: site.repo.path, deny_file: deny } })
    const answer = await put(strict, 'x', episode('x', site.head), { commit: site.head })
    expectRefusal(answer, 'commit-denied')
    expect(problemOf(answer)).toMatchObject({ your_commit: site.head, head_commit: site.head })
    expect(problemOf(answer).detail).toContain('wrong clock')
    expect((await put(strict, 'y', episode('y', site.commits[1]), { commit: site.commits[1] })).status).toBe(201)
  })

  it('lets a new commit in without a restart', async () => {
    const moving = await Site.make()
    try {
      const watching = await moving.start()
      const fresh = moving.repo.commit()
      expect((await put(watching, 'new', episode('new', fresh), { commit: fresh })).status).toBe(201)
    } finally {
      await moving[Symbol.asyncDispose]()
    }
  })

  it('marks what it only observed', async () => {
    const observing = await site.start({ version_gate: { repo_path: site.repo.path, window: 3, mode: 'observe' } })
    const answer = await put(observing, 'x', episode('x', site.tooOld), { commit: site.tooOld })
    expect(answer.status).toBe(201)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ verdict: 'observe', commit: site.tooOld })
  })
})

describe('the headers of an upload', () => {
  const cases: [ProblemCode, Headers][] = [
    ['sha256-missing', { 'X-Content-SHA256': undefined }],
    ['sha256-missing', { 'X-Content-SHA256': '' }],
    ['sha256-malformed', { 'X-Content-SHA256': 'abc' }],
    ['sha256-malformed', { 'X-Content-SHA256': 'z'.repeat(64) }],
    ['digest-disagree', { 'Repr-Digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` }],
    ['digest-disagree', { 'Repr-Digest': 'sha-256=:not base64:' }],
    ['partial-put', { 'Content-Range': 'bytes 0-9/100' }],
    ['content-encoding', { 'Content-Encoding': 'zstd' }],
    ['wrong-host', { 'X-Cis490-Host': 'lab-99' }],
    ['wrong-host', { 'X-Cis490-Host': '../lab-07' }],
  ]
  it.each(cases)('get %s for %o', async (code, headers) => {
    expectRefusal(await put(receiver, 'x', episode('x', site.head), { commit: site.head, headers }), code)
    expect(await receiver.incoming()).toEqual([])
  })

  it('are told too-large with the limit when the length says so', async () => {
    const answer = await put(receiver, 'x', Buffer.alloc(100_001), { commit: site.head })
    expectRefusal(answer, 'too-large')
    expect(problemOf(answer).max_bytes).toBe(100_000)
  })

  it('may name the host of the certificate', async () => {
    const headers = { 'X-Cis490-Host': 'LAB-07' }
    const answer = await put(receiver, 'own-name', episode('own-name', site.head), { commit: site.head, headers })
    expect(answer.status).toBe(201)
  })

  it('get already-exists for If-None-Match: * on a stored episode only', async () => {
    const bytes = episode('once', site.head)
    const headers = { 'If-None-Match': '*' }
    expect((await put(receiver, 'once', bytes, { commit: site.head, headers })).status).toBe(201)
    expectRefusal(await put(receiver, 'once', bytes, { commit: site.head, headers }), 'already-exists')
  })
})

describe('the path of an upload', () => {
  const cases: [ProblemCode, string][] = [
    ['bad-id', '/v1/episodes/%2e%2e%2fetc%2fpasswd.tar.zst'],
    ['bad-id', '/v1/episodes/..%2f..%2fx.tar.zst'],
    ['bad-id', '/v1/episodes/../../etc/x.tar.zst'],
    ['bad-id', '/v1/episodes/a..b.tar.zst'],
    ['bad-id', '/v1/episodes/a%00b.tar.zst'],
    ['bad-id', `/v1/episodes/${'a'.repeat(129)}.tar.zst`],
    ['bad-id', '/v1/episodes/%C3%BCber.tar.zst'],
    ['bad-id', '/v1/episodes/\xc3\xbcber.tar.zst'],
    ['bad-id', '/v1/episodes/a/b.tar.zst'],
    ['bad-id', '/v1/episodes//a.tar.zst'],
    ['bad-id', '/v1/episodes/a.tar.zst/'],
    ['bad-id', '/v1/episodes/.hidden.tar.zst'],
    ['bad-id', '/v1/episodes/.tar.zst'],
    ['bad-id', '/v1/episodes/'],
    ['bad-id', '/v1/episodes/a.tar.zst?query'],
    ['bad-suffix', '/v1/episodes/a'],
    ['bad-suffix', '/v1/episodes/a.tar.gz'],
    ['bad-suffix', '/v1/episodes/a.tar'],
    ['method-not-allowed', '/v1/episodes'],
    ['method-not-allowed', '/v1/../v1/episodes'],
    ['not-found', '/v1/nothing'],
  ]
  it.each(cases)('gets %s for %s', async (code, target) => {
    const body = episode('a', site.head)
    expectRefusal(await ask(receiver, target, { method: 'PUT', headers: uploadHeaders(body, site.head), body }), code)
  })

  it('may be an id of 128 characters', async () => {
    const id = `Z${'a._-'.repeat(31)}abc`
    expect(id).toHaveLength(128)
    expect((await put(receiver, id, episode(id, site.head), { commit: site.head })).status).toBe(201)
  })

  it.each(['POST', 'DELETE', 'PATCH'])('does not take %s, and says what it takes', async (method) => {
    const answer = await ask(receiver, '/v1/episodes/a.tar.zst', { method, body: 'x' })
    expectRefusal(answer, 'method-not-allowed')
    expect(answer.headers['allow']).toBe('GET, HEAD, PUT, OPTIONS')
  })

  it('is not HTTP at all with a raw NUL: 400, and the connection ends', async () => {
    const answer = await ask(receiver, '/v1/episodes/a\0b.tar.zst', { method: 'PUT', body: 'x' })
    expect([answer.status, answer.headers['connection']]).toEqual([400, 'close'])
  })
})

describe('bearer tokens', () => {
  let guarded: TestReceiver
  beforeAll(async () => {
    const files = ['one', 'two'].map((name) => join(site.root, `token-${name}`))
    for (const path of files) writeFileSync(path, `secret-${path.split('-').at(-1)}\n`)
    guarded = await site.start({ auth: { client_ca_file: site.pki.caFile, token_files: files } })
  })

  it('are valid each while two are configured', async () => {
    for (const name of ['one', 'two']) {
      const id = `token-${name}`
      const headers = { Authorization: `Bearer secret-${name}` }
      expect((await put(guarded, id, episode(id, site.head), { commit: site.head, headers })).status).toBe(201)
    }
  })

  it.each(['/v1/episodes/x.tar.zst', '/v1/gate', '/v1/host-health', '/v1/host-health/lab-07', '/v1/nothing'])(
    'are asked for on %s',
    async (target) => {
      for (const authorization of [undefined, 'Bearer secret-three', 'Basic c2VjcmV0LW9uZQ==', 'Bearer']) {
        const answer = await ask(guarded, target, { headers: { Authorization: authorization } })
        expectRefusal(answer, 'unauthorized')
        expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
      }
    },
  )

  it('are asked for before an upload and before a report', async () => {
    expectRefusal(await put(guarded, 'x', episode('x', site.head), { commit: site.head }), 'unauthorized')
    const report = await ask(guarded, '/v1/host-health/lab-07', { method: 'PUT', body: '{}' })
    expectRefusal(report, 'unauthorized')
  })
})

describe('without TLS', () => {
  let plain: TestReceiver
  beforeAll(async () => {
    plain = await site.start({ plain: true })
  })

  it('an upload that names no host gets host-missing', async () => {
    expectRefusal(await put(plain, 'x', episode('x', site.head), { commit: site.head }), 'host-missing')
    const headers = { 'X-Cis490-Host': 'no host name!' }
    expectRefusal(await put(plain, 'x', episode('x', site.head), { commit: site.head, headers }), 'host-missing')
  })

  it('X-Cis490-Host names it, lower-cased', async () => {
    const headers = { 'X-Cis490-Host': 'Lab-07' }
    const answer = await put(plain, 'x', episode('x', site.head), { commit: site.head, headers })
    expect([answer.status, JSON.parse(answer.body.toString()).host]).toEqual([201, 'lab-07'])
  })
})

describe('without a commit set', () => {
  it('an upload gets gate-unavailable with Retry-After, and readiness 503 in mode enforce only', async () => {
    const nowhere = { forgejo_url: 'http://127.0.0.1:1', repo_owner: 'o', repo_name: 'r', repo_path: '' }
    const [strict, lenient] = await Promise.all([
      site.start({ version_gate: { ...nowhere, mode: 'enforce' } }),
      site.start({ version_gate: { ...nowhere, mode: 'observe' } }),
    ])
    const answer = await put(strict, 'x', episode('x', site.head), { commit: site.head })
    expectRefusal(answer, 'gate-unavailable')
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    const ready = await fetch(`${strict.opsUrl}/readyz`)
    expect([ready.status, ((await ready.json()) as { reasons: string[] }).reasons]).toEqual([
      503,
      ['the version gate has no commit set'],
    ])
    expect((await strict.gate()).head).toBeNull()
    expect((await fetch(`${lenient.opsUrl}/readyz`)).status).toBe(200)
    expect((await put(lenient, 'x', episode('x', site.head), { commit: site.head })).status).toBe(201)
  })
})

describe('of several faults the first in the order of the protocol is told', () => {
  // Each row has every fault of the rows below it as well.
  const bad = {
    'Content-Range': 'bytes 0-1/2',
    'Content-Encoding': 'gzip',
    'X-Content-SHA256': 'abc',
    'X-Cis490-Code-Commit': 'nonsense',
    'X-Cis490-Host': 'lab-99',
    'If-None-Match': '*',
  }
  const good = (name: keyof typeof bad): Headers =>
    name === 'X-Content-SHA256'
      ? { [name]: sha256('x') }
      : name === 'X-Cis490-Code-Commit'
        ? { [name]: site.head }
        : { [name]: undefined }

  it('down the whole list', async () => {
    const token = join(site.root, 'order-token')
    writeFileSync(token, 'secret')
    const picky = await site.start({
      auth: { client_ca_file: site.pki.caFile, token_files: [token] },
      limits: { headroom: '1000TiB', episodes_per_day: 1 },
      max_episode_size: 10,
    })
    const body = Buffer.alloc(20)
    const send = (target: string, method: string, headers: Headers, identity?: null, bytes: Buffer = body) =>
      ask(picky, target, { method, headers, body: bytes, ...(identity === null && { identity }) })
    const auth = { Authorization: 'Bearer secret' }
    const path = '/v1/episodes/x.tar.zst'
    const wrongPath = '/v1/episodes/a%2fb'
    expectRefusal(await send(wrongPath, 'POST', bad, null), 'certificate-missing')
    expectRefusal(await send(wrongPath, 'POST', bad), 'unauthorized')
    expectRefusal(await send(wrongPath, 'POST', { ...bad, ...auth }), 'method-not-allowed')
    expectRefusal(await send(wrongPath, 'PUT', { ...bad, ...auth }), 'bad-id')
    let headers: Headers = { ...bad, ...auth }
    const steps: [ProblemCode, keyof typeof bad][] = [
      ['partial-put', 'Content-Range'],
      ['content-encoding', 'Content-Encoding'],
      ['sha256-malformed', 'X-Content-SHA256'],
      ['commit-malformed', 'X-Cis490-Code-Commit'],
    ]
    for (const [code, mended] of steps) {
      expectRefusal(await send(path, 'PUT', headers), code)
      headers = { ...headers, ...good(mended) }
    }
    expectRefusal(await send(path, 'PUT', headers), 'too-large')
    const short = Buffer.alloc(5)
    expectRefusal(await send(path, 'PUT', headers, undefined, short), 'wrong-host')
    headers = { ...headers, ...good('X-Cis490-Host') }
    expectRefusal(await send(path, 'PUT', headers, undefined, short), 'store-full')
  })

  it('quota before already-exists, already-exists before the id in flight', async () => {
    const limited = await site.start({ limits: { episodes_per_day: 1 } })
    const bytes = episode('x', site.head)
    expect((await put(limited, 'x', bytes, { commit: site.head })).status).toBe(201)
    expectRefusal(await put(limited, 'x', bytes, { commit: site.head, headers: { 'If-None-Match': '*' } }), 'quota')
    const open = await site.start()
    expect((await put(open, 'x', bytes, { commit: site.head })).status).toBe(201)
    using running = await Wire.connect(open)
    const headers = { ...uploadHeaders(bytes, site.head), 'Content-Length': bytes.length, Expect: '100-continue' }
    await running.write(requestHead('PUT', '/v1/episodes/x.tar.zst', headers))
    expect((await running.answer()).status).toBe(100)
    expectRefusal(await put(open, 'x', bytes, { commit: site.head, headers: { 'If-None-Match': '*' } }), 'already-exists')
    expectRefusal(await put(open, 'x', bytes, { commit: site.head }), 'upload-in-progress')
  })
})

describe('rejects.jsonl', () => {
  it('has a row for each refused upload and for nothing else', async () => {
    const watched = await site.start()
    const body = episode('x', site.head)
    await put(watched, 'fine', episode('fine', site.head), { commit: site.head })
    await ask(watched, '/v1/episodes/none.tar.zst')
    await put(watched, 'x', body, { commit: site.tooOld })
    await put(watched, 'x', body, { commit: site.head, identity: null })
    await ask(watched, '/v1/episodes/a%2fb', { method: 'PUT', body })
    await put(watched, 'x', body, { commit: site.head, headers: { 'X-Content-SHA256': '0'.repeat(64) } })
    const rows = await watched.rejects()
    const common = { at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/), remote: '127.0.0.1' }
    expect(rows).toEqual([
      { ...common, host: 'lab-07', id: 'x', status: 412, code: 'commit-not-in-window', commit: site.tooOld, bytes_read: 0 },
      { ...common, id: 'x', status: 403, code: 'certificate-missing', commit: site.head, bytes_read: 0 },
      { ...common, host: 'lab-07', status: 400, code: 'bad-id', bytes_read: 0 },
      { ...common, host: 'lab-07', id: 'x', status: 400, code: 'sha256-mismatch', commit: site.head, bytes_read: body.length },
    ])
  })
})
