/** Hosts join, renew and are thrown out, over real TLS. */
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { parse } from 'smol-toml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startReceiver } from '../../packages/receiver/src/app.ts'
import { type Authority, createAuthority, type Issued, issueCertificate } from '../../packages/receiver/src/ca/authority.ts'
import { loadAuthorities } from '../../packages/receiver/src/ca/authority-files.ts'
import { caPaths } from '../../packages/receiver/src/ca/paths.ts'
import { appendRevoked } from '../../packages/receiver/src/ca/revocations.ts'
import { tendCa } from '../../packages/receiver/src/ca/tend.ts'
import { TokenStore } from '../../packages/receiver/src/ca/token-store.ts'
import { ReceiverConfig } from '../../packages/receiver/src/config.ts'
import { certificateRecords } from '../../packages/receiver/src/open-ca.ts'
import { capturedLog } from '../support/captured-log.ts'
import { holdSync } from '../support/held-sync.ts'
import { certificatesIn, OwnCa, requestFor } from '../support/own-ca.ts'
import { expired, fingerprintOf } from '../support/pki.ts'
import { runToEnd } from '../support/program.ts'
import { eventually, readRows } from '../support/receiver.ts'
import { ask, type Identity, problemOf, requestHead, Wire, type WireAnswer } from '../support/wire.ts'

let own: OwnCa
beforeAll(async () => {
  own = await OwnCa.start()
})
afterAll(() => own[Symbol.asyncDispose]())

const est = '/.well-known/est'
const pkcs10 = 'application/pkcs10'
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

interface Enrol {
  readonly to?: OwnCa
  readonly user?: string
  readonly body?: string
  readonly type?: string
}

function enroll(token: string, { to = own, user = 'lab-07', body = requestFor().request, type = pkcs10 }: Enrol = {}) {
  const headers = { Authorization: basic(user, token), 'Content-Type': type }
  return ask(to, `${est}/simpleenroll`, { method: 'POST', headers, body, identity: null })
}

const renew = (identity: Identity, body = requestFor().request, to = own) =>
  ask(to, `${est}/simplereenroll`, { method: 'POST', headers: { 'Content-Type': pkcs10 }, body, identity: identity ?? null })

/** Joins with a new key. */
async function joined(to = own, host = 'lab-07'): Promise<Issued> {
  const { keyPem, request } = requestFor(`/CN=${host}`)
  const answer = await enroll(await to.token(host), { to, user: host, body: request })
  expect(answer.status).toBe(200)
  return { certPem: certificatesIn(answer.body)[0] as string, keyPem }
}

function told(answer: WireAnswer): [number, string, string] {
  const { code, detail } = problemOf(answer)
  return [answer.status, code, detail]
}

const gate = (identity: Identity, to = own) => ask(to, '/v1/gate', { identity: identity ?? null })

describe('cacerts', () => {
  it('gives the CA to everybody', async () => {
    const answer = await ask(own, `${est}/cacerts`, { identity: null })
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/pkcs7-mime'])
    expect(certificatesIn(answer.body)).toEqual([own.caPem])
  })

  it('is 404 with the rest of EST where [ca] is left out, and no client certificate is asked for', async () => {
    const config = {
      listen: '127.0.0.1:0',
      ops_listen: '127.0.0.1:0',
      state_dir: join(own.dir, 'other'),
      version_gate: { enabled: false },
    }
    const receiver = await startReceiver(ReceiverConfig.parse(config), capturedLog().log)
    for (const [path, method] of [
      ['cacerts', 'GET'],
      ['simpleenroll', 'POST'],
      ['simplereenroll', 'POST'],
    ] as const) {
      const answer = await fetch(`${receiver.url}${est}/${path}`, { method })
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([404, 'not-found'])
    }
    await receiver.stop(false)
  })
})

describe('a host that joins', () => {
  it('gets a certificate of its name for its key, recorded before it has it', async () => {
    const { certPem, keyPem } = await joined()
    const certificate = new X509Certificate(certPem)
    expect([certificate.subject, certificate.subjectAltName]).toEqual(['CN=lab-07', 'DNS:lab-07'])
    expect((await gate({ certPem, keyPem })).status).toBe(200)
    const row = (await readRows(join(own.store, 'ca', 'issued.jsonl'))).at(-1)
    expect(row).toMatchObject({
      host: 'lab-07',
      by: 'token',
      fingerprint: fingerprintOf(certPem),
      serial: certificate.serialNumber.toLowerCase(),
      not_after: certificate.validToDate.toISOString(),
    })
    expect(certificate.validToDate.getTime() - Date.parse(String(row?.['at']))).toBeGreaterThan(30 * 86_400_000 - 2000)
  })

  it('gets none of what the request asks for beside', async () => {
    const { request } = requestFor('/CN=lab-07/O=admins')
    const [certPem = ''] = certificatesIn((await enroll(await own.token(), { body: request })).body)
    expect([new X509Certificate(certPem).subject, new X509Certificate(certPem).ca]).toEqual(['CN=lab-07', false])
  })

  it('may ask again with its key when the answer was lost, over a restart too; another key may not', async () => {
    const token = await own.token()
    await own.restart()
    const { request } = requestFor()
    expect((await enroll(token, { body: request })).status).toBe(200)
    await own.restart()
    expect((await enroll(token, { body: request })).status).toBe(200)
    const again = await enroll(token)
    expect(told(again)).toEqual([401, 'join-refused', 'this join token was used before, for another key'])
    expect(again.headers['www-authenticate']).toBe('Basic realm="cis490"')
    expect(problemOf(again).remediation).toContain('cis490-receiver token create')
  })

  it('gets nothing when its token is taken away while the row becomes durable', async () => {
    await using other = await OwnCa.start()
    const token = await other.token()
    using slow = await holdSync(/issued\.jsonl$/)
    const answer = enroll(token, { to: other })
    await slow.hangs
    expect(await new TokenStore(caPaths(other.store).tokens).remove(token.slice(0, 8))).toBe(true)
    slow.release()
    expect(told(await answer)).toEqual([401, 'join-refused', 'this join token is not known here'])
  })

  it('is one of two that come at once with one token', async () => {
    const token = await own.token()
    const answers = await Promise.all([enroll(token), enroll(token), enroll(token)])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401])
  })

  it('is refused for another host, another name in the request, another CA or too late, and the token stays good', async () => {
    const token = await own.token()
    expect(told(await enroll(token, { user: 'lab-08', body: requestFor('/CN=lab-08').request }))[2]).toContain('for another host')
    expect(told(await enroll(token, { body: requestFor('/CN=lab-08').request })).slice(0, 2)).toEqual([400, 'bad-csr'])
    const elsewhere = await own.token('lab-07', { pin: 'ab'.repeat(32) })
    expect(told(await enroll(elsewhere))[2]).toBe('this join token was made for another CA')
    expect(told(await enroll(token.slice(0, -64) + 'ab'.repeat(32)))[2]).toBe('this join token was made for another CA')
    expect(told(await enroll(await own.token('lab-07', { now: Date.now() - 60_001 })))[2]).toBe('this join token has expired')
    expect((await enroll(token)).status).toBe(200)
  })

  it('is told what is wrong with the request', async () => {
    const token = await own.token()
    expect(told(await enroll(token, { type: 'text/plain' })).slice(0, 2)).toEqual([415, 'unsupported-media-type'])
    expect(told(await enroll(token, { body: 'AAAA' })).slice(0, 2)).toEqual([400, 'bad-csr'])
    expect(told(await enroll(token, { body: '{"}' })).slice(0, 2)).toEqual([400, 'bad-csr'])
    expect(told(await enroll(token, { body: 'A'.repeat(17 << 10) })).slice(0, 2)).toEqual([413, 'too-large'])
    const get = await ask(own, `${est}/simpleenroll`, { identity: null })
    expect([get.status, get.headers['allow']]).toEqual([405, 'POST'])
    expect((await ask(own, `${est}/csrattrs`, { identity: null })).status).toBe(404)
  })

  it('is not heard any more after 20 tokens that do not hold, and no secret is in the log', async () => {
    await using other = await OwnCa.start()
    const token = await other.token()
    const guess = token.replace(/\.[^.]+\./, `.${'A'.repeat(43)}.`)
    const first = await enroll(guess, { to: other })
    expect(told(first)).toEqual([401, 'join-refused', 'this join token is not known here'])
    const headers = { Authorization: 'Bearer x', 'Content-Type': pkcs10 }
    const post = () => ask(other, `${est}/simpleenroll`, { method: 'POST', headers, body: 'AAAA', identity: null })
    const answers = await Promise.all(Array.from({ length: 19 }, post))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]))
    expect((await post()).status).toBe(429)
    const late = await enroll(token, { to: other })
    expect(told(late).slice(0, 2)).toEqual([429, 'rate'])
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0)
    const log = JSON.stringify(other.captured.lines)
    expect(other.captured.lines.filter(({ event }) => event === 'join-refused')).toHaveLength(20)
    expect([log.includes(token.split('.')[1] as string), log.includes('A'.repeat(43))]).toEqual([false, false])
  })
})

describe('what a stranger can make the receiver do', () => {
  it('is no work with keys: the token is judged before the body is there', async () => {
    await own.token('lab-30')
    using wire = await Wire.connect(own, null)
    const headers = {
      Authorization: basic('lab-30', `00000000.${'A'.repeat(43)}.${'ab'.repeat(32)}`),
      'Content-Type': pkcs10,
      'Content-Length': 100,
    }
    await wire.write(requestHead('POST', `${est}/simpleenroll`, headers))
    expect(told(await wire.answer())).toEqual([401, 'join-refused', 'this join token is not known here'])
  })

  it('is 20 requests that cannot be granted a minute, and none of them uses the token up', async () => {
    await using other = await OwnCa.start()
    const token = await other.token()
    const bad = Array.from({ length: 20 }, (_, k) => enroll(token, { to: other, body: k % 2 === 0 ? 'AAAA' : '{"}' }))
    expect(new Set((await Promise.all(bad)).map(({ status }) => status))).toEqual(new Set([400]))
    const { request } = requestFor()
    expect(told(await enroll(token, { to: other, body: request }))).toEqual([
      429,
      'rate',
      'too many attempts that failed within a minute',
    ])
    const metrics = await (await fetch(`${other.opsUrl}/metrics`)).text()
    expect(metrics).toContain('cis490_certificates_refused_total{reason="csr-unreadable"} 20\n')
    expect(metrics).toContain('cis490_certificates_refused_total{reason="rate"} 1\n')
    // Another count begins.
    await other.restart()
    const granted = await enroll(token, { to: other, body: request })
    const certPem = certificatesIn(granted.body)[0] as string
    const counted = await (await fetch(`${other.opsUrl}/metrics`)).text()
    expect(counted).toContain('cis490_certificates_issued_total{by="token"} 1\n')
    const end = Number(/^cis490_server_certificate_end_seconds (\d+)$/m.exec(counted)?.[1]) * 1000
    const { validToDate } = new X509Certificate(readFileSync(join(other.store, 'tls', 'server.crt')))
    expect([new X509Certificate(certPem).subject, end]).toEqual(['CN=lab-07', validToDate.getTime()])
  })

  it('is the same for a host that renews, and other hosts go on', async () => {
    await using other = await OwnCa.start()
    const present = await joined(other)
    const bad = await Promise.all(Array.from({ length: 20 }, () => renew(present, 'AAAA', other)))
    expect(new Set(bad.map(({ status }) => status))).toEqual(new Set([400]))
    expect(told(await renew(present, requestFor().request, other)).slice(0, 2)).toEqual([429, 'rate'])
    const neighbour = await joined(other, 'lab-08')
    expect((await renew(neighbour, requestFor('/CN=lab-08').request, other)).status).toBe(200)
  })
})

describe('renewal', () => {
  it('is by the present certificate, for a new key and the same name', async () => {
    const present = await joined()
    const { keyPem, request } = requestFor()
    const answer = await renew(present, request)
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only')
    const next = { certPem: certificatesIn(answer.body)[0] as string, keyPem }
    expect([(await gate(next)).status, (await gate(present)).status]).toEqual([200, 200])
    const [row, before] = (await readRows(join(own.store, 'ca', 'issued.jsonl'))).slice(-2).reverse()
    expect(row).toMatchObject({ by: 'renewal', replaces: fingerprintOf(present.certPem), joined_at: before?.['joined_at'] })
    expect(told(await renew(present, requestFor('/CN=lab-08').request)).slice(0, 2)).toEqual([400, 'bad-csr'])
  })

  it('is there for 30 days after its end, and then a token mends it', async () => {
    const authority = await own.authority()
    const dated = (days: number) =>
      issueCertificate(authority, { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'client', ...expired(days) })
    const late = await dated(29)
    expect([(await renew(late)).status, told(await gate(late))[1]]).toEqual([200, 'certificate-expired'])
    expect(problemOf(await gate(late)).remediation).toBe('sudo systemctl start cis490-cert-fetch')
    const tooLate = await renew(await dated(31))
    expect(told(tooLate).slice(0, 2)).toEqual([403, 'certificate-expired'])
    expect(problemOf(tooLate).remediation).toContain('cis490-receiver token create')
  })

  it('is for nobody without a certificate of ours', async () => {
    expect(told(await renew(null)).slice(0, 2)).toEqual([403, 'certificate-missing'])
    const foreign = await issueCertificate(await createAuthority({ name: 'another' }), { commonName: 'lab-07', usage: 'client' })
    expect(told(await renew(foreign)).slice(0, 2)).toEqual([403, 'certificate-untrusted'])
  })

  it('is 503 while the key of the CA is lost, and everything else goes on', async () => {
    await using other = await OwnCa.start()
    const present = await joined(other)
    await other.restart(() => rmSync(other.caKeyFile))
    expect(told(await renew(present, undefined, other)).slice(0, 2)).toEqual([503, 'ca-unavailable'])
    expect((await gate(present, other)).status).toBe(200)
    expect(other.captured.at('error').map(({ event }) => event)).toEqual(['ca-key-lost'])
    expect(existsSync(other.caKeyFile)).toBe(false)
  })

  it('is no more than ten a minute for one host', async () => {
    const present = await joined(own, 'lab-10')
    const { request } = requestFor('/CN=lab-10')
    const answers = await Promise.all(Array.from({ length: 12 }, () => renew(present, request)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(9)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(3)
  })
})

describe('revocation', () => {
  it('by the command ends a host on its open connection and its renewals; a new token lets it in again', async () => {
    const present = await joined(own, 'lab-20')
    const open = await own.token('lab-20')
    using wire = await Wire.connect(own, present)
    const again = async () => {
      await wire.write(requestHead('GET', '/v1/gate'))
      return await wire.answer('GET')
    }
    expect((await again()).status).toBe(200)
    const { code, stdout } = await runToEnd('receiver', [
      'revoke',
      'LAB-20',
      '--reason',
      'stolen',
      '--json',
      '--config',
      own.configFile,
    ])
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { revoked: { host: 'lab-20', reason: 'stolen' }, tokens: [open.slice(0, 8)] },
    ])
    const refused = await eventually(again, ({ status }) => status !== 200)
    expect(told(refused)).toEqual([403, 'certificate-untrusted', 'the client certificate was revoked'])
    expect(problemOf(refused).remediation).toContain('cis490-receiver token create')
    expect(told(await renew(present, requestFor('/CN=lab-20').request))[0]).toBe(403)
    expect(told(await enroll(open, { user: 'lab-20', body: requestFor('/CN=lab-20').request }))[0]).toBe(401)
    const { revoked, ownCa } = await certificateRecords(ReceiverConfig.parse(parse(readFileSync(own.configFile, 'utf8'))))
    expect([revoked?.(0).hosts.has('lab-20'), ownCa?.joinedAt(fingerprintOf(present.certPem))]).toEqual([
      true,
      expect.any(Number),
    ])
    const back = await joined(own, 'lab-20')
    expect((await gate(back)).status).toBe(200)
    await own.restart()
    expect([(await gate(back)).status, (await gate(present)).status]).toEqual([200, 403])
  })

  it('of a stolen certificate takes what was renewed from it and what its token gave, and nothing else', async () => {
    await using other = await OwnCa.start()
    const token = await other.token()
    const { keyPem, request } = requestFor()
    const again = async () => ({
      certPem: certificatesIn((await enroll(token, { to: other, body: request })).body)[0] as string,
      keyPem,
    })
    const renewed = async (from: Issued): Promise<Issued> => {
      const next = requestFor()
      const answer = await renew(from, next.request, other)
      return { certPem: certificatesIn(answer.body)[0] as string, keyPem: next.keyPem }
    }
    // The answer was lost once: two certificates of one key. The thief renews from the one, and from what he got.
    const [stolen, twin] = [await again(), await again()]
    const thief = await renewed(await renewed(stolen))
    const [later, neighbour] = [await joined(other), await joined(other, 'lab-08')]
    using wire = await Wire.connect(other, thief)
    const asks = async () => {
      await wire.write(requestHead('GET', '/v1/gate'))
      return await wire.answer('GET')
    }
    expect((await asks()).status).toBe(200)
    // As `openssl x509 -fingerprint` prints it.
    const spelled = new X509Certificate(stolen.certPem).fingerprint256
    const { code, stdout } = await runToEnd('receiver', ['revoke', spelled, '--json', '--config', other.configFile])
    const said = JSON.parse(stdout) as Record<'certificates' | 'left', { fingerprint: string }[]>
    expect([code, said]).toMatchObject([
      0,
      { revoked: { fingerprint: fingerprintOf(stolen.certPem) }, tokens: [token.slice(0, 8)] },
    ])
    expect(said.certificates.map(({ fingerprint }) => fingerprint)).toEqual(
      expect.arrayContaining([stolen, twin, thief].map((one) => fingerprintOf(one.certPem))),
    )
    expect([said.certificates.length, said.left.map(({ fingerprint }) => fingerprint)]).toEqual([
      4,
      [fingerprintOf(later.certPem)],
    ])
    const refused = await eventually(asks, ({ status }) => status !== 200)
    expect(told(refused)).toEqual([403, 'certificate-untrusted', 'the client certificate was revoked'])
    expect(told(await renew(thief, requestFor().request, other))[2]).toBe('the client certificate was revoked')
    expect(told(await enroll(token, { to: other, body: request }))[2]).toBe('this join token is not known here')
    await other.restart()
    const standing = await Promise.all([stolen, twin, thief, later, neighbour].map((one) => gate(one, other)))
    expect(standing.map(({ status }) => status)).toEqual([403, 403, 403, 200, 200])
  })

  it('reaches a renewal that was under way, which the command could not see', async () => {
    await using other = await OwnCa.start()
    const present = await joined(other)
    const row = { at: new Date().toISOString(), fingerprint: fingerprintOf(present.certPem), reason: '', by: 'somebody' }
    const { keyPem, request } = requestFor()
    const answer = await renew(present, request, other)
    const next = { certPem: certificatesIn(answer.body)[0] as string, keyPem }
    await appendRevoked(join(other.store, 'revoked.jsonl'), row as Parameters<typeof appendRevoked>[1])
    await eventually(
      () => gate(next, other),
      ({ status }) => status === 403,
    )
    await other.restart()
    expect([(await gate(next, other)).status, (await renew(next, request, other)).status]).toEqual([403, 403])
  })

  it('by an allow-list: what the CA gave out is on it by itself, what only its key made is not', async () => {
    const list = join(own.dir, 'hosts.txt')
    writeFileSync(list, `${'ab'.repeat(32)} lab-99\n`)
    await using strict = await OwnCa.start('30d', { hosts_file: list })
    expect((await gate(await joined(strict), strict)).status).toBe(200)
    const unlisted = await issueCertificate(await strict.authority(), {
      commonName: 'lab-07',
      dnsNames: ['lab-07'],
      usage: 'client',
    })
    expect(told(await gate(unlisted, strict))[2]).toContain('not on the list')
  })
})

it('a successor that the command made beside a running receiver is shown and believed without a reload', async () => {
  await using short = await OwnCa.start('2s')
  const files = { cert_file: short.caFile, key_file: short.caKeyFile }
  await tendCa({ stateDir: short.store, ca: { ...files, lifetime: 2000, server_names: [] } }, Date.now(), true)
  const successor = (await loadAuthorities(files))[1]?.authority as Authority
  const shown = () => ask(short, `${est}/cacerts`, { identity: null })
  await eventually(shown, ({ body }) => certificatesIn(body).length === 2)
  const host = await issueCertificate(successor, { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'client' })
  expect(
    (
      await eventually(
        () => gate(host, short),
        ({ status }) => status === 200,
      )
    ).status,
  ).toBe(200)
})

it('the server certificate is renewed by itself: new connections get the new one, and what is being sent goes on', async () => {
  await using short = await OwnCa.start('2s')
  const authority = await short.authority()
  const host = await issueCertificate(authority, { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'client' })
  const served = async () => {
    const socket = connect({ port: Number(new URL(short.url).port), host: '127.0.0.1', ca: short.caPem, servername: 'localhost' })
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    const { serialNumber } = socket.getPeerX509Certificate() as X509Certificate
    socket.destroy()
    return serialNumber
  }
  using wire = await Wire.connect(short, host)
  const body = '{"outcome":"pass"}'
  await wire.write(requestHead('PUT', '/v1/host-health/lab-07', { 'Content-Length': body.length }))
  await wire.write(body.slice(0, 4))
  const first = await served()
  await eventually(served, (now) => now !== first)
  await wire.write(body.slice(4))
  expect((await wire.answer()).status).toBe(204)
  expect(readFileSync(join(short.store, 'host-health', 'lab-07.json'), 'utf8')).toBe(body)
  expect(short.captured.at('info').filter(({ event }) => event === 'server-certificate').length).toBeGreaterThan(1)
})
