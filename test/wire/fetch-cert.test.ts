/** A host joins and renews at a real receiver with a CA of its own, over real TLS. */
import { X509Certificate } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join as joinPath } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { fits, readPair } from '@cis490/shared/node/key-pair.ts'
import { estPath } from '@cis490/shared/protocol.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { makeApp, makeClient } from '../../packages/agent/src/app.ts'
import { pendingKey, signingRequest } from '../../packages/agent/src/certs/pending.ts'
import { readFetchRecord } from '../../packages/agent/src/certs/record.ts'
import { certificateTurn } from '../../packages/agent/src/commands/certificate-loop.ts'
import { renewalTrouble } from '../../packages/agent/src/commands/host-checks.ts'
import { join } from '../../packages/agent/src/commands/join.ts'
import { renewIfDue } from '../../packages/agent/src/commands/renew.ts'
import { parseJoinToken } from '../../packages/agent/src/core/join-token.ts'
import { certificate } from '../../packages/agent/src/doctor/checks/certificate.ts'
import { Outbox } from '../../packages/agent/src/outbox/outbox.ts'
import { Client } from '../../packages/agent/src/ship/client.ts'
import { issueCertificate } from '../../packages/receiver/src/ca/authority.ts'
import { appendRevoked } from '../../packages/receiver/src/ca/revocations.ts'
import { type CaReceiver, caReceiver, type NewHost, newHost } from '../support/ca-receiver.ts'
import { capturedLog } from '../support/captured-log.ts'
import { listening } from '../support/listening.ts'
import { expired, fingerprintOf, foreignAuthority } from '../support/pki.ts'
import { Program, runToEnd } from '../support/program.ts'
import { eventually, Site } from '../support/receiver.ts'

const day = 86_400_000

function parsed(text: string) {
  const token = parseJoinToken(text)
  if (typeof token === 'string') throw new Error(token)
  return token
}

let receiver: CaReceiver
beforeAll(async () => {
  receiver = await caReceiver()
})
afterAll(() => receiver[Symbol.asyncDispose]())

let names = 0
/** A host gets a few certificates a minute only. */
const newName = () => `lab-${++names}`

async function joined(name = newName()): Promise<NewHost> {
  const host = newHost(receiver.url, name)
  await join(host.config, parsed(await receiver.token(name)), Date.now)
  return host
}

function renewing({ config }: NewHost, now = Date.now) {
  return { config, now, random: () => 0 }
}

/** A certificate of the CA with these dates in the place of the present one. */
async function replaceBy(host: NewHost, dates: { notBefore: Date; notAfter: Date }): Promise<void> {
  const options = { ...dates, commonName: host.name, dnsNames: [host.name], usage: 'client' } as const
  const { certPem, keyPem } = await issueCertificate(await receiver.authority(), options)
  mkdirSync(joinPath(host.home, 'state', 'tls'), { recursive: true })
  writeFileSync(host.config.receiver.ca_file, receiver.caPem)
  writeFileSync(host.config.receiver.cert_file, certPem)
  writeFileSync(host.config.receiver.key_file, keyPem, { mode: 0o600 })
}

describe('joining', () => {
  test('a token brings CA, certificate and key, and with them the host is known', async () => {
    const host = await joined()
    const certificate = new X509Certificate(host.cert())
    expect(certificate.subjectAltName).toBe(`DNS:${host.name}`)
    expect(fits(readPair(host.config.receiver))).toBe(true)
    expect(statSync(host.config.receiver.key_file).mode & 0o777).toBe(0o600)
    expect(readdirSync(joinPath(host.home, 'state', 'tls')).toSorted()).toEqual(['ca.crt', 'host.crt', 'host.key'])
    await using client = makeClient(host.config)
    expect(await client.gate()).toMatchObject({ kind: 'answer', status: 200 })
    expect(await renewIfDue(renewing(host))).toMatchObject({ did: 'waited', reason: 'not-due' })
  })

  test('a token is good once, for its host alone, and a refusal leaves nothing behind that is used', async () => {
    const token = parsed(await receiver.token('lab-07'))
    await expect(join(newHost(receiver.url, 'lab-08').config, token, Date.now)).rejects.toThrow(
      /lab-08 did not get a certificate: .*host/,
    )
    await join(newHost(receiver.url).config, token, Date.now)
    const third = newHost(receiver.url)
    await expect(join(third.config, token, Date.now)).rejects.toThrow(/used before.*token create/)
    expect(existsSync(third.config.receiver.cert_file)).toBe(false)
  })

  test('a host whose answer was lost asks again with the same key and token, and gets its certificate', async () => {
    const token = parsed(await receiver.token('lab-07'))
    const { config } = newHost(receiver.url)
    mkdirSync(joinPath(config.paths.state, 'tls'))
    const { key } = await pendingKey(config.receiver.key_file)
    const identity = { host: config.host.name as NonNullable<typeof config.host.name>, ca: receiver.caPem }
    await using client = new Client({ url: receiver.url, identity, connections: 1 })
    const authorization = `Basic ${Buffer.from(`lab-07:${token.text}`).toString('base64')}`
    const headers = { authorization, 'content-type': 'application/pkcs10' }
    const lost = await client.request('POST', estPath.enroll, { headers, body: signingRequest('lab-07', key) })
    expect(lost).toMatchObject({ kind: 'answer', status: 200 })
    await join(config, token, Date.now)
    expect(fits(readPair(config.receiver))).toBe(true)
  })

  test('somebody in between, who shows the true CA but not its certificate, gets no token', async () => {
    const token = parsed(await receiver.token('lab-07'))
    const relayed = await caCertsOf(receiver)
    const { certPem: cert, keyPem: key } = await issueCertificate(await foreignAuthority(), {
      commonName: '127.0.0.1',
      ipAddresses: ['127.0.0.1'],
      usage: 'server',
    })
    const heard: unknown[] = []
    const server = createServer({ cert, key }, (request, response) => {
      heard.push([request.method, request.url, request.headers.authorization])
      response.end(relayed)
    })
    const host = newHost(`https://127.0.0.1:${await listening(server)}`)
    await expect(join(host.config, token, Date.now)).rejects.toThrow(/not (signed by|in|from)|CA that is not/)
    expect(heard).toEqual([['GET', estPath.cacerts, undefined]])
    expect(existsSync(host.config.receiver.ca_file)).toBe(false)
  })

  test('a CA that was believed before is forgotten, for its key may have been copied', async () => {
    const host = newHost(receiver.url, newName())
    mkdirSync(joinPath(host.home, 'state', 'tls'))
    writeFileSync(host.config.receiver.ca_file, (await foreignAuthority()).certPem)
    await join(host.config, parsed(await receiver.token(host.name)), Date.now)
    expect(readFileSync(host.config.receiver.ca_file, 'utf8')).toBe(receiver.caPem)
  })

  test('a receiver whose CA is another one than the token names is not believed', async () => {
    await using other = await caReceiver()
    const host = newHost(other.url)
    await expect(join(host.config, parsed(await receiver.token('lab-07')), Date.now)).rejects.toThrow(
      /not the one that the token names/,
    )
    expect(existsSync(host.config.receiver.ca_file)).toBe(false)
  })
})

async function caCertsOf({ url, caPem }: CaReceiver): Promise<string> {
  const host = newHost(url)
  const identity = { host: host.config.host.name as NonNullable<typeof host.config.host.name>, ca: caPem }
  await using client = new Client({ url, identity, connections: 1 })
  const answer = await client.request('GET', estPath.cacerts)
  return answer.kind === 'answer' ? answer.body : ''
}

describe('renewing', () => {
  test('brings a new key and certificate, by the present one; then it is not due', async () => {
    const host = await joined()
    const before = { cert: host.cert(), key: host.key() }
    expect(await renewIfDue(renewing(host), 'now')).toMatchObject({ did: 'renewed' })
    expect(host.cert()).not.toBe(before.cert)
    expect(host.key()).not.toBe(before.key)
    expect(fits({ cert: host.cert(), key: host.key() })).toBe(true)
    expect(readFetchRecord(host.config.paths.state)).toMatchObject({
      outcome: 'fetched',
      fingerprint: fingerprintOf(host.cert()),
    })
    expect(await renewIfDue(renewing(host))).toMatchObject({ did: 'waited' })
    expect(await renewIfDue(renewing(host, () => Date.now() + 20.1 * day))).toMatchObject({ did: 'renewed' })
  })

  test('the moment at which it is due may pass while it is looked at', async () => {
    const host = await joined()
    const waits = await renewIfDue(renewing(host))
    if (waits.did !== 'waited') throw new Error(waits.did)
    let clock = Math.floor(waits.until)
    expect(await renewIfDue(renewing(host, () => clock++))).toMatchObject({ did: 'waited', until: waits.until })
    expect(await renewIfDue(renewing(host, () => clock++))).toMatchObject({ did: 'renewed' })
  })

  test('a certificate that expired 2 days ago brings its successor; one of 31 days does not ask', async () => {
    const host = newHost(receiver.url)
    await replaceBy(host, expired(31))
    expect(await renewIfDue(renewing(host))).toEqual({ did: 'nothing', reason: 'expired-too-long' })
    await replaceBy(host, expired(2))
    expect(await renewIfDue(renewing(host))).toMatchObject({ did: 'renewed' })
    await using client = makeClient(host.config)
    expect(await client.gate()).toMatchObject({ status: 200 })
  })

  test('a host that was revoked keeps its pair, and it is known why and since when', async () => {
    const host = await joined()
    const at = new Date().toISOString()
    const row = { at, host: HostName.parse(host.name), reason: 'lost', by: 'ada' }
    await appendRevoked(joinPath(receiver.store, 'revoked.jsonl'), row)
    // The receiver looks at the list now and then.
    await using client = makeClient(host.config)
    await eventually(
      () => client.gate(),
      (answer) => answer.kind === 'answer' && answer.status === 403,
    )
    await renewIfDue(renewing(host), 'now')
    const before = host.cert()
    expect(await renewIfDue(renewing(host), 'now')).toMatchObject({
      did: 'failed',
      failure: { code: 'certificate-untrusted', message: expect.stringMatching(/revoked/) as string },
      late: false,
    })
    expect(host.cert()).toBe(before)
    const record = readFetchRecord(host.config.paths.state)
    expect(record).toMatchObject({ outcome: 'certificate-untrusted', failures: 2, fingerprint: fingerprintOf(before) })
    expect(Date.parse(record?.failing_since ?? '')).toBeLessThan(Date.parse(record?.at ?? ''))
    const finding = await certificate({
      ...host.config.receiver,
      now: Date.now,
      renewal: () => renewalTrouble(host.config.paths.state),
    }).run(new AbortController().signal)
    expect(finding).toMatchObject({
      outcome: 'warn',
      text: expect.stringMatching(/its renewal fails since .*revoked/) as string,
      data: { renewal_code: 'certificate-untrusted' },
    })
  })

  test('while the daemon waits after a failure, whoever mended it and asks is not told to wait', async () => {
    const host = await joined()
    const later = () => Date.now() + 21 * day
    const unreachable = { ...host.config, receiver: { ...host.config.receiver, url: 'https://127.0.0.1:1' } }
    expect(await renewIfDue({ ...renewing(host, later), config: unreachable })).toMatchObject({
      did: 'failed',
      failure: { code: 'connection-refused' },
    })
    expect(await renewIfDue({ ...renewing(host, later), random: () => 0 })).toMatchObject({
      did: 'waited',
      reason: 'backing-off',
    })
    expect(await renewIfDue(renewing(host, later), 'when-due')).toMatchObject({ did: 'renewed' })
    expect(await renewIfDue(renewing(host), 'when-due')).toMatchObject({ did: 'waited', reason: 'not-due' })
  })

  test('an answer that is for another key replaces nothing', async () => {
    const host = await joined()
    const before = { cert: host.cert(), key: host.key() }
    const { certPem: cert, keyPem: key } = await issueCertificate(await receiver.authority(), {
      commonName: '127.0.0.1',
      ipAddresses: ['127.0.0.1'],
      usage: 'server',
    })
    const caCerts = await caCertsOf(receiver)
    const server = createServer({ cert, key }, (_, response) => response.end(caCerts))
    const url = `https://127.0.0.1:${await listening(server)}`
    const config = { ...host.config, receiver: { ...host.config.receiver, url } }
    expect(await renewIfDue({ ...renewing(host), config }, 'now')).toMatchObject({
      did: 'failed',
      failure: { code: 'answer-not-usable', message: expect.stringMatching(/another key/) as string },
    })
    expect({ cert: host.cert(), key: host.key() }).toEqual(before)
  })

  test('a receiver without a CA is no trouble: the site renews', async () => {
    const site = await Site.make()
    onTestFinished(() => site[Symbol.asyncDispose]())
    const { url } = await site.start()
    const { certFile, keyFile } = site.pki.host
    const host = newHost(url)
    const receiver = { ...host.config.receiver, ca_file: site.pki.caFile, cert_file: certFile, key_file: keyFile }
    expect(await renewIfDue({ ...renewing(host), config: { ...host.config, receiver } }, 'now')).toMatchObject({
      did: 'failed',
      failure: { code: 'no-ca' },
    })
  })
})

describe('the daemon', () => {
  async function daemon(host: NewHost) {
    const { config } = host
    const log = capturedLog()
    const outbox = await Outbox.open({
      outboxDir: config.paths.outbox,
      stateDir: config.paths.state,
      log: log.log,
      now: Date.now,
    })
    const stack = new AsyncDisposableStack()
    stack.use(outbox)
    const context = { config, outbox, log: log.log, now: () => clock.now }
    const clock = { now: Date.now() }
    const app = stack.use(makeApp(context, { write: () => true } as unknown as NodeJS.WriteStream, () => undefined))
    const told = new Set<string>()
    const turn = () => certificateTurn(context, app, new AbortController().signal, told, () => undefined)
    return { app, log, turn, clock, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  test('renews when it is due, and uses the new certificate from then on', async () => {
    const host = await joined()
    await using running = await daemon(host)
    expect(await running.turn()).toBeGreaterThan(18 * day)
    expect(running.log.lines).toEqual([])
    running.clock.now += 20.1 * day
    await running.turn()
    expect(running.app.shipping.client().certificate).toBe(host.cert().trim())
    expect(running.log.lines).toMatchObject([{ event: 'reloaded' }, { event: 'certificate-renewed' }])
  })

  test('takes up a certificate that fetch-cert fetched beside it', async () => {
    const host = await joined()
    await using running = await daemon(host)
    await renewIfDue(renewing(host), 'now')
    await running.turn()
    expect(running.app.shipping.client().certificate).toBe(host.cert().trim())
    expect(running.log.lines).toMatchObject([{ event: 'reloaded' }])
  })

  test('half of a pair that somebody puts there is waited for, without a word', async () => {
    const host = await joined()
    const before = host.cert()
    await using running = await daemon(host)
    writeFileSync(host.config.receiver.cert_file, (await joined()).cert())
    await running.turn()
    expect(running.app.shipping.client().certificate).toBe(before.trim())
    expect(running.log.lines).toEqual([])
  })

  test('warns once when it cannot, and calls for a person once when the end is near', async () => {
    const host = await joined()
    const config = { ...host.config, receiver: { ...host.config.receiver, url: 'https://127.0.0.1:1' } }
    await using running = await daemon({ ...host, config })
    for (const days of [20.1, 1, 7, 1]) {
      running.clock.now += days * day
      expect(await running.turn()).toBeGreaterThanOrEqual(0)
    }
    expect(running.log.lines).toMatchObject([
      { level: 'warn', event: 'certificate-not-renewed', code: 'connection-refused' },
      { level: 'error', event: 'certificate-not-renewed', remedy: 'sudo cis490-agent fetch-cert --now' },
    ])
  })
})

test('a daemon that started with a certificate that had ended was refused before it renewed', async () => {
  const host = newHost(receiver.url, newName())
  await replaceBy(host, expired(2))
  const folder = joinPath(host.config.paths.episodes, `${host.name}-a`)
  mkdirSync(folder)
  writeFileSync(
    joinPath(folder, 'meta.json'),
    JSON.stringify({ episode_id: `${host.name}-a`, code_version: { commit: receiver.commit } }),
  )
  await using daemon = new Program('agent', ['run', '--config', host.configFile])
  await daemon.line({ event: 'delivered', id: `${host.name}-a` })
  const events = daemon.stdout.split('\n').filter((line) => /"level":"(warn|error)"/.test(line))
  expect(events).toEqual([])
})

describe('the command', () => {
  test('without a certificate it says how to get one, and a damaged token is not shown', async () => {
    const host = newHost('https://127.0.0.1:1')
    const config = ['--config', host.configFile]
    const text = readFileSync(host.configFile, 'utf8')
    const withoutCa = joinPath(host.home, 'without-ca.toml')
    writeFileSync(withoutCa, text.replace(/ca_file = .*/, ''))
    const whole = await receiver.token('lab-07')
    const [none, damaged, nowhere] = await Promise.all([
      runToEnd('agent', ['fetch-cert', ...config]),
      runToEnd('agent', ['fetch-cert', '--token', '0badcafe.geheim', ...config]),
      runToEnd('agent', ['fetch-cert', '--token', whole, '--config', withoutCa]),
    ])
    expect(none).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/host.crt is not there yet.*token create --host lab-07/) as string,
    })
    expect(damaged).toMatchObject({ code: 2, stderr: expect.stringMatching(/2 of 3 parts/) as string })
    expect(damaged.stderr).not.toContain('geheim')
    expect(nowhere).toMatchObject({ code: 78, stderr: expect.stringMatching(/receiver.ca_file: set it/) as string })
  })

  const root = process.geteuid?.() === 0
  test.skipIf(!root)('by root it writes as the owner of the state, and tells of files that this one cannot write', async () => {
    const nobody = 65_534
    const host = newHost(receiver.url)
    chmodSync(host.home, 0o755)
    chownSync(host.config.paths.state, nobody, nobody)
    const token = joinPath(host.home, 'token')
    writeFileSync(token, await receiver.token('lab-07'), { mode: 0o600 })
    const joining = await runToEnd('agent', ['fetch-cert', '--token-file', token, '--config', host.configFile])
    expect(joining).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^lab-07 has its certificate/) as string })
    const tls = joinPath(host.home, 'state', 'tls')
    for (const name of readdirSync(tls)) expect([name, statSync(joinPath(tls, name)).uid]).toEqual([name, nobody])

    chownSync(tls, 0, 0)
    chmodSync(tls, 0o755)
    const again = await runToEnd('agent', ['fetch-cert', '--now', '--json', '--config', host.configFile])
    expect(again).toMatchObject({ code: 3, stderr: expect.stringMatching(/cannot write to .*tls .*EACCES/) as string })
    expect(JSON.parse(again.stdout)).toMatchObject({ exit_code: 3 })
  })
})
