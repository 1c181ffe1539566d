import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from '../../../packages/receiver/src/ca/authority.ts'
import { PeerCheck, type PeerOptions, requireClaimedHost, requireHost } from '../../../packages/receiver/src/http/peer.ts'
import { type Answer, ask, peerServer } from '../../support/peer-server.ts'
import { expired, fingerprintOf, makePki, type Pki } from '../../support/pki.ts'

let dir: string
let pki: Pki
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'peer-claim-'))
  pki = await makePki(dir, 'lab-07')
})
afterAll(() => rm(dir, { recursive: true }))

const plain = { trustedProxies: [], proxyCert: 'rfc9440', readers: [], hostsFile: '' } as const

async function askPlain(headers: OutgoingHttpHeaders, options: Partial<PeerOptions> = {}): Promise<Answer> {
  const check = new PeerCheck({ ...plain, ...options })
  await using server = await peerServer('plain', (req) => check.identify(req, { now: Date.now(), grace: false }))
  return await ask(server, pki, { headers })
}

describe('without certificates', () => {
  test('X-Cis490-Host names the host, lower-cased', async () => {
    expect(await askPlain({ 'x-cis490-host': 'Lab-07' })).toMatchObject({ host: 'lab-07', via: 'header', reader: false })
  })
  test('nothing names it', async () => {
    const answer = await askPlain({})
    expect(answer).toMatchObject({ via: 'none' })
    expect(answer.host).toBeUndefined()
  })
  test.each(['../etc', 'a/b', '*.lab', '', 'x'.repeat(254)])('%j is refused', async (name) => {
    expect(await askPlain({ 'x-cis490-host': name })).toMatchObject({
      code: 'host-missing',
      detail: expect.stringContaining('X-Cis490-Host'),
    })
  })
  test('two different names are none', async () => {
    expect(await askPlain({ 'x-cis490-host': ['lab-01', 'lab-02'] })).toMatchObject({ code: 'host-missing' })
  })
  test('a claimed name makes no reader', async () => {
    expect(await askPlain({ 'x-cis490-host': 'lab-07' }, { readers: ['lab-07'] })).toMatchObject({ reader: false })
  })
  test('headers of proxies mean nothing', async () => {
    expect(await askPlain({ 'client-cert': rfc9440(pki.host.certPem) })).toMatchObject({ via: 'none' })
  })
})

test('a route that needs a host says that none is named', () => {
  expect(() => requireHost({ reader: false, remote: '127.0.0.1', via: 'none' })).toThrow('host-missing')
})

test('a claim must be the name of the certificate', async () => {
  const check = new PeerCheck({ ...plain, clientCaPem: pki.authority.certPem })
  await using server = await peerServer(pki, (req) => {
    const peer = check.identify(req, { now: Date.now(), grace: false })
    requireClaimedHost(req, peer)
    return peer
  })
  const claim = (headers: OutgoingHttpHeaders) => ask(server, pki, { identity: pki.host, headers })
  expect(await claim({})).toMatchObject({ host: 'lab-07' })
  expect(await claim({ 'x-cis490-host': 'LAB-07' })).toMatchObject({ host: 'lab-07' })
  expect(await claim({ 'x-cis490-host': 'lab-08' })).toMatchObject({
    code: 'wrong-host',
    remediation: expect.stringContaining('lab-07'),
  })
  expect(await claim({ 'x-cis490-host': '*' })).toMatchObject({ code: 'wrong-host' })
})

const der = (pem: string) => pem.replace(/-----[A-Z ]+-----|\s/g, '')
const rfc9440 = (pem: string) => `:${der(pem)}:`
const escapedPem = (pem: string) => encodeURIComponent(pem)

describe('behind a trusted proxy', () => {
  const proxied = (headers: OutgoingHttpHeaders, options: Partial<PeerOptions> = {}) =>
    askPlain(headers, { trustedProxies: ['127.0.0.1'], clientCaPem: pki.authority.certPem, ...options })
  const nginx = { proxyCert: 'escaped-pem' } as const

  test('RFC 9440', async () => {
    expect(await proxied({ 'client-cert': rfc9440(pki.host.certPem) })).toMatchObject({
      host: 'lab-07',
      via: 'proxy',
      fingerprint: fingerprintOf(pki.host.certPem),
    })
  })
  test("nginx's escaped PEM", async () => {
    const answer = await proxied({ 'x-ssl-client-cert': escapedPem(pki.host.certPem) }, nginx)
    expect(answer).toMatchObject({ host: 'lab-07', via: 'proxy' })
  })
  test('a chain in Client-Cert-Chain', async () => {
    const { createAuthority } = await import('../../../packages/receiver/src/ca/authority.ts')
    const root = await createAuthority({ name: 'root', pathLength: 1 })
    const middle = await createAuthority({ name: 'middle', issuedBy: root })
    const leaf = await issueCertificate(middle, { commonName: 'lab-09', usage: 'client' })
    const headers = {
      'client-cert': rfc9440(leaf.certPem),
      'client-cert-chain': `${rfc9440(middle.certPem)}, ${rfc9440(root.certPem)}`,
    }
    expect(await proxied(headers, { clientCaPem: root.certPem })).toMatchObject({ host: 'lab-09', via: 'proxy' })
  })
  test('the header of the other format is ignored', async () => {
    expect(await proxied({ 'x-ssl-client-cert': escapedPem(pki.host.certPem) })).toMatchObject({ code: 'certificate-missing' })
    expect(await proxied({ 'client-cert': rfc9440(pki.host.certPem) }, nginx)).toMatchObject({ code: 'certificate-missing' })
  })
  test('from an address that is not listed, both are ignored', async () => {
    const headers = { 'client-cert': rfc9440(pki.host.certPem), 'x-ssl-client-cert': escapedPem(pki.host.certPem) }
    for (const proxyCert of ['rfc9440', 'escaped-pem'] as const)
      expect(await proxied(headers, { trustedProxies: ['192.0.2.1'], proxyCert })).toMatchObject({ code: 'certificate-missing' })
  })
  test('X-Cis490-Host is ignored, as identity and as claim', async () => {
    const check = new PeerCheck({ ...plain, trustedProxies: ['127.0.0.1'], clientCaPem: pki.authority.certPem })
    await using server = await peerServer('plain', (req) => {
      const peer = check.identify(req, { now: Date.now(), grace: false })
      requireClaimedHost(req, peer)
      return peer
    })
    const headers = { 'x-cis490-host': 'lab-08' }
    expect(await ask(server, pki, { headers })).toMatchObject({ code: 'certificate-missing' })
    expect(await ask(server, pki, { headers: { ...headers, 'client-cert': rfc9440(pki.host.certPem) } })).toMatchObject({
      host: 'lab-07',
    })
  })
  test('an IPv4 client of an IPv6 listener is known by its IPv4 address, a network by its prefix', async () => {
    for (const trusted of ['127.0.0.1', '::ffff:127.0.0.1', '127.0.0.0/8']) {
      const check = new PeerCheck({ ...plain, trustedProxies: [trusted], clientCaPem: pki.authority.certPem })
      await using server = await peerServer('plain', (req) => check.identify(req, { now: Date.now(), grace: false }), '::')
      const answer = await ask(server, pki, { headers: { 'client-cert': rfc9440(pki.host.certPem) } })
      expect(answer, trusted).toMatchObject({ host: 'lab-07', remote: '127.0.0.1', via: 'proxy' })
    }
  })
  test('two certificates are none', async () => {
    const other = rfc9440(pki.server.certPem)
    const twice = [rfc9440(pki.host.certPem), other]
    expect(await proxied({ 'client-cert': twice })).toMatchObject({ code: 'certificate-untrusted' })
    expect(await proxied({ 'client-cert': twice.join(', ') })).toMatchObject({ code: 'certificate-untrusted' })
    const blocks = escapedPem(pki.host.certPem + pki.server.certPem)
    expect(await proxied({ 'x-ssl-client-cert': blocks }, nginx)).toMatchObject({ code: 'certificate-untrusted' })
  })
  test.each([':AAAA:', 'nonsense', ':', '%', '%zz', '-----BEGIN CERTIFICATE-----%0AAAAA%0A-----END CERTIFICATE-----'])(
    '%j cannot be read',
    async (value) => {
      expect(await proxied({ 'client-cert': value })).toMatchObject({ code: 'certificate-untrusted' })
      expect(await proxied({ 'x-ssl-client-cert': value }, nginx)).toMatchObject({ code: 'certificate-untrusted' })
    },
  )
  test('an empty header is no certificate', async () => {
    expect(await proxied({ 'x-ssl-client-cert': '' }, nginx)).toMatchObject({ code: 'certificate-missing' })
  })
  test('what the proxy lets through is judged all the same', async () => {
    const dates = await issueCertificate(pki.authority, { commonName: 'lab-07', usage: 'client', ...expired(1) })
    expect(await proxied({ 'client-cert': rfc9440(dates.certPem) })).toMatchObject({ code: 'certificate-expired' })
    expect(await proxied({ 'client-cert': rfc9440(pki.server.certPem) })).toMatchObject({ code: 'certificate-untrusted' })
  })
  test("the proxy's own certificate stands for nobody", async () => {
    const check = new PeerCheck({ ...plain, trustedProxies: ['127.0.0.1'], clientCaPem: pki.authority.certPem })
    await using server = await peerServer(pki, (req) => check.identify(req, { now: Date.now(), grace: false }))
    expect(await ask(server, pki, { identity: pki.host })).toMatchObject({ code: 'certificate-missing' })
  })
  test('a bad address in the configuration is named', () => {
    for (const bad of ['proxy.lab', '10.0.0.0/33', '10.0.0.0/', '1.2.3.4/8/9'])
      expect(() => new PeerCheck({ ...plain, trustedProxies: [bad] }), bad).toThrow(`"${bad}" is no IP address`)
  })
})

describe('the list of hosts', () => {
  const colons = (hex: string) => hex.toUpperCase().replace(/(..)(?=.)/g, '$1:')
  const write = async (path: string, text: string) => {
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
  }

  test('is taken up again when it changes, at most once a second', async () => {
    const hostsFile = join(dir, 'hosts')
    const print = fingerprintOf(pki.host.certPem)
    await write(hostsFile, `# the fleet\n\n${colons(print)} lab-07 # bench 3\n`)
    const check = new PeerCheck({ ...plain, clientCaPem: pki.authority.certPem, hostsFile })
    let now = Date.now()
    await using server = await peerServer(pki, (req) => check.identify(req, { now, grace: true }))
    const who = () => ask(server, pki, { identity: pki.host })
    expect(await who()).toMatchObject({ host: 'lab-07' })
    await write(hostsFile, '# nobody\n')
    now += 999
    expect(await who()).toMatchObject({ host: 'lab-07' })
    now += 1
    expect(await who()).toMatchObject({ code: 'certificate-untrusted', detail: expect.stringContaining('fingerprint') })
    await write(hostsFile, `${print}\n`)
    now += 1000
    expect(await who()).toMatchObject({ host: 'lab-07' })
    await write(hostsFile, `${print} lab-08\n`)
    now += 1000
    expect(await who()).toMatchObject({ code: 'certificate-untrusted' })
  })

  test('an edit in place that keeps size and time is seen', async () => {
    const hostsFile = join(dir, 'hosts-edited')
    const print = fingerprintOf(pki.host.certPem)
    const before = new Date('2026-01-01T00:00:00Z')
    await writeFile(hostsFile, `${print}\n`)
    await utimes(hostsFile, before, before)
    const check = new PeerCheck({ ...plain, clientCaPem: pki.authority.certPem, hostsFile })
    await writeFile(hostsFile, `${'0'.repeat(64)}\n`)
    await utimes(hostsFile, before, before)
    await using server = await peerServer(pki, (req) => check.identify(req, { now: Date.now(), grace: false }))
    expect(await ask(server, pki, { identity: pki.host })).toMatchObject({ code: 'certificate-untrusted' })
  })

  test('a change that cannot be read leaves the last good list in force', async () => {
    const hostsFile = join(dir, 'hosts-broken')
    await write(hostsFile, fingerprintOf(pki.host.certPem))
    const check = new PeerCheck({ ...plain, clientCaPem: pki.authority.certPem, hostsFile })
    let now = Date.now()
    await using server = await peerServer(pki, (req) => check.identify(req, { now, grace: false }))
    for (const change of [() => write(hostsFile, 'nonsense\n'), () => rm(hostsFile)]) {
      await change()
      now += 1000
      expect(await ask(server, pki, { identity: pki.host })).toMatchObject({ host: 'lab-07' })
    }
  })

  test('grace does not help a certificate that is off the list', async () => {
    const hostsFile = join(dir, 'hosts-revoked')
    await write(hostsFile, fingerprintOf(pki.host.certPem))
    const check = new PeerCheck({ ...plain, clientCaPem: pki.authority.certPem, hostsFile })
    await using server = await peerServer(pki, (req) => check.identify(req, { now: Date.now(), grace: true }))
    const identity = await issueCertificate(pki.authority, { commonName: 'lab-07', usage: 'client', ...expired(1) })
    expect(await ask(server, pki, { identity })).toMatchObject({ code: 'certificate-untrusted' })
  })

  test.each([
    ['beef lab-07', ':1: a SHA-256 fingerprint'],
    [`\n${'a'.repeat(64)} lab-07 lab-08`, ':2: a fingerprint and at most one host'],
    [`${'a'.repeat(64)} *.lab`, ':1: "*.lab" is no host name'],
  ])('%j is a configuration error with its line', async (text, message) => {
    const hostsFile = join(dir, 'hosts-bad')
    await write(hostsFile, text)
    expect(() => new PeerCheck({ ...plain, hostsFile })).toThrow(`${hostsFile}${message}`)
  })
  test('a list that is not there is a configuration error', () => {
    expect(() => new PeerCheck({ ...plain, hostsFile: join(dir, 'absent') })).toThrow(/absent: ENOENT/)
  })
})
