import { mkdtemp, rm } from 'node:fs/promises'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Authority,
  type CertificateOptions,
  createAuthority,
  type Issued,
  issueCertificate,
  loadAuthority,
  selfSigned,
} from '../../../packages/receiver/src/ca/authority.ts'
import { PeerCheck, type PeerOptions } from '../../../packages/receiver/src/http/peer.ts'
import { type Answer, ask, type Call, peerServer } from '../../support/peer-server.ts'
import {
  expired,
  fingerprintOf,
  foreignAuthority,
  impostorAuthority,
  makePki,
  notYetValid,
  oddCertificate,
  type Pki,
  sameNameAuthority,
  unknownExtension,
} from '../../support/pki.ts'

let dir: string
let pki: Pki
let foreign: Authority
let sameName: Authority
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'peer-'))
  pki = await makePki(dir, 'lab-07')
  foreign = await foreignAuthority()
  sameName = await sameNameAuthority(pki.authority)
})
afterAll(() => rm(dir, { recursive: true }))

const plain = { trustedProxies: [], proxyCert: 'rfc9440', readers: [], hostsFile: '' } as const
const day = 86_400_000

async function askOnce(call: Call, grace = false, options: Partial<PeerOptions> = {}): Promise<Answer> {
  const check = new PeerCheck({ ...plain, clientCaPem: pki.authority.certPem, ...options })
  await using server = await peerServer(pki, (req) => check.identify(req, { now: Date.now(), grace }))
  return await ask(server, pki, call)
}

const client = (options: Partial<CertificateOptions> = {}): CertificateOptions => ({
  commonName: 'lab-07',
  dnsNames: ['lab-07'],
  usage: 'client',
  ...options,
})
const issued = (options: Partial<CertificateOptions> = {}, authority = pki.authority) =>
  issueCertificate(authority, client(options))

test('a valid certificate names its host', async () => {
  expect(await askOnce({ identity: pki.host })).toEqual({
    host: 'lab-07',
    fingerprint: fingerprintOf(pki.host.certPem),
    reader: false,
    remote: '127.0.0.1',
    via: 'certificate',
    ignoresClaim: false,
    resumed: false,
  })
})

test('no certificate is told so, with the command that fetches one', async () => {
  const answer = await askOnce({})
  expect(answer).toMatchObject({
    code: 'certificate-missing',
    status: 403,
    remediation: 'sudo systemctl start cis490-cert-fetch',
  })
})

test('a reader is known by the name of its certificate, in any case', async () => {
  expect(await askOnce({ identity: pki.host }, false, { readers: ['LAB-07'] })).toMatchObject({ reader: true })
  expect(await askOnce({ identity: pki.host }, false, { readers: ['lab-08'] })).toMatchObject({ reader: false })
})

describe('dates', () => {
  const cases: [string, () => Promise<Issued>, grace: boolean, expected: object][] = [
    [
      'expired',
      () => issued(expired(1)),
      false,
      { code: 'certificate-expired', remediation: 'sudo systemctl start cis490-cert-fetch' },
    ],
    ['expired yesterday, with grace', () => issued(expired(1)), true, { host: 'lab-07' }],
    ['expired 29 days ago, with grace', () => issued(expired(29)), true, { host: 'lab-07' }],
    ['expired 31 days ago, with grace', () => issued(expired(31)), true, { code: 'certificate-expired' }],
    ['not yet valid', () => issued(notYetValid()), false, { code: 'certificate-untrusted' }],
    ['not yet valid, with grace', () => issued(notYetValid()), true, { code: 'certificate-untrusted' }],
  ]
  test.each(cases)('%s', async (_, make, grace, expected) => {
    expect(await askOnce({ identity: await make() }, grace)).toMatchObject(expected)
  })

  test('an expired authority takes its hosts with it, grace or not', async () => {
    const old = await createAuthority({
      name: 'old CA',
      notBefore: new Date(Date.now() - 900 * day),
      notAfter: new Date(Date.now() - day),
    })
    for (const grace of [false, true])
      expect(await askOnce({ identity: await issued({}, old) }, grace, { clientCaPem: old.certPem })).toMatchObject({
        code: 'certificate-untrusted',
        detail: expect.stringContaining('authority'),
      })
  })
})

describe('nobody here signed it, so grace does not help', () => {
  const cases: [string, (dates: object) => Promise<Issued>][] = [
    ['self-signed', (dates) => selfSigned(client(dates))],
    ['of a foreign authority', (dates) => issued(dates, foreign)],
    ['of an authority with the same name', (dates) => issued(dates, sameName)],
    [
      'of an authority with the same name and key identifier',
      async (dates) => issued(dates, await impostorAuthority(pki.authority)),
    ],
  ]
  test.each(cases)('%s', async (_, make) => {
    for (const dates of [{}, expired(1)])
      for (const grace of [false, true])
        expect(await askOnce({ identity: await make(dates) }, grace)).toMatchObject({ code: 'certificate-untrusted' })
  })
})

describe('what the certificate says of itself', () => {
  const cases: [string, Partial<CertificateOptions>, object][] = [
    ['for servers only', { usage: 'server' }, { code: 'certificate-untrusted' }],
    ['a wildcard', { dnsNames: ['*.lab'] }, { code: 'certificate-untrusted' }],
    ['a wildcard as CN', { dnsNames: [], commonName: '*.lab' }, { code: 'certificate-untrusted' }],
    ['a path as CN', { dnsNames: [], commonName: '../lab' }, { code: 'certificate-untrusted' }],
    ['upper case', { dnsNames: ['LAB-08'] }, { host: 'lab-08' }],
    ['the first DNS name wins over the second and the CN', { dnsNames: ['lab-01', 'lab-02'] }, { host: 'lab-01' }],
    ['an address in the SAN is no name', { dnsNames: [], ipAddresses: ['10.0.0.1'] }, { host: 'lab-07' }],
    ['no SAN', { dnsNames: [], commonName: 'Lab-09' }, { host: 'lab-09' }],
    ['a comma in the CN', { dnsNames: [], commonName: 'x, CN=lab-07' }, { code: 'certificate-untrusted' }],
  ]
  test.each(cases)('%s', async (_, options, expected) => {
    expect(await askOnce({ identity: await issued(options) })).toMatchObject(expected)
  })

  test('two CNs name nobody', async () => {
    const identity = await oddCertificate(pki.authority, [{ CN: ['lab-07'] }, { CN: ['lab-08'] }], [])
    expect(await askOnce({ identity })).toMatchObject({ code: 'certificate-untrusted' })
  })

  test('without any extension it is taken by its CN', async () => {
    expect(await askOnce({ identity: await oddCertificate(pki.authority, [{ CN: ['lab-07'] }], []) })).toMatchObject({
      host: 'lab-07',
    })
  })

  test('an extension that nobody understands counts only when it is critical', async () => {
    const make = (critical: boolean) => oddCertificate(pki.authority, [{ CN: ['lab-07'] }], [unknownExtension(critical)])
    expect(await askOnce({ identity: await make(false) })).toMatchObject({ host: 'lab-07' })
    expect(await askOnce({ identity: await make(true) })).toMatchObject({ code: 'certificate-untrusted' })
  })

  test('the key of an authority is no identity', async () => {
    const { certPem, keyPem } = await createAuthority({ name: 'lab-07' })
    expect(await askOnce({ identity: { certPem, keyPem } }, false, { clientCaPem: certPem })).toMatchObject({
      code: 'certificate-untrusted',
      detail: expect.stringContaining('authority'),
    })
  })

  test('a host is no authority: what it signs is foreign', async () => {
    const root = await createAuthority({ name: 'root', pathLength: 1 })
    for (const host of [await issued({}, root), await oddCertificate(root, [{ CN: ['lab-07'] }], [])]) {
      const forged = await issued({ dnsNames: ['lab-01'] }, await loadAuthority(host.certPem, host.keyPem))
      const answer = await askOnce({ identity: forged, intermediates: host.certPem }, false, { clientCaPem: root.certPem })
      expect(answer).toMatchObject({ code: 'certificate-untrusted' })
    }
  })
})

describe('intermediates', () => {
  async function chain(rootPath: number) {
    const root = await createAuthority({ name: 'root', pathLength: rootPath })
    const upper = await createAuthority({ name: 'upper', issuedBy: root, pathLength: 1 })
    const lower = await createAuthority({ name: 'lower', issuedBy: upper })
    return { root, upper, lower, leaf: await issued({}, lower) }
  }

  test('sent by the peer in any order, they lead to the root', async () => {
    const { root, upper, lower, leaf } = await chain(2)
    for (const intermediates of [lower.certPem + upper.certPem, upper.certPem + lower.certPem])
      expect(await askOnce({ identity: leaf, intermediates }, false, { clientCaPem: root.certPem })).toMatchObject({
        host: 'lab-07',
      })
  })

  test('without one of them the chain is open', async () => {
    const { root, lower, leaf } = await chain(2)
    const answer = await askOnce({ identity: leaf, intermediates: lower.certPem }, false, { clientCaPem: root.certPem })
    expect(answer).toMatchObject({ code: 'certificate-untrusted' })
  })

  test('the root says how many there may be', async () => {
    const { root, upper, lower, leaf } = await chain(1)
    const answer = await askOnce({ identity: leaf, intermediates: lower.certPem + upper.certPem }, false, {
      clientCaPem: root.certPem,
    })
    expect(answer).toMatchObject({ code: 'certificate-untrusted' })
  })

  test('an expired one is not trusted', async () => {
    const root = await createAuthority({ name: 'root', pathLength: 1, notBefore: new Date(Date.now() - 90 * day) })
    const middle = await createAuthority({ name: 'middle', issuedBy: root, ...expired(1) })
    const answer = await askOnce({ identity: await issued({}, middle), intermediates: middle.certPem }, true, {
      clientCaPem: root.certPem,
    })
    expect(answer).toMatchObject({ code: 'certificate-untrusted' })
  })
})

test('a successor of the same name counts beside the old authority', async () => {
  const clientCaPem = pki.authority.certPem + sameName.certPem
  for (const authority of [pki.authority, sameName])
    expect(await askOnce({ identity: await issued({}, authority) }, false, { clientCaPem })).toMatchObject({ host: 'lab-07' })
})

test('a kept and a resumed connection are judged by the date of the request', async () => {
  const root = await createAuthority({ name: 'root', pathLength: 1 })
  const middle = await createAuthority({ name: 'middle', issuedBy: root })
  const identity = await issued({}, middle)
  const check = new PeerCheck({ ...plain, clientCaPem: root.certPem })
  let now = Date.now()
  await using server = await peerServer(pki, (req) => check.identify(req, { now, grace: false }))
  const call = (agent: https.Agent) => ask(server, pki, { identity, intermediates: middle.certPem, agent })

  const resuming = new https.Agent({ keepAlive: false })
  expect(await call(resuming)).toMatchObject({ host: 'lab-07', resumed: false })
  expect(await call(resuming)).toMatchObject({ host: 'lab-07', resumed: true })
  const keeping = new https.Agent({ keepAlive: true, maxSockets: 1 })
  expect(await call(keeping)).toMatchObject({ host: 'lab-07' })
  now += 31 * day
  expect(await call(resuming)).toMatchObject({ code: 'certificate-expired', resumed: true })
  expect(await call(keeping)).toMatchObject({ code: 'certificate-expired' })
  keeping.destroy()
})

test('after a reload of client_ca_file a resumed connection lacked the intermediates and was refused', async () => {
  const root = await createAuthority({ name: 'root', pathLength: 1 })
  const middle = await createAuthority({ name: 'middle', issuedBy: root })
  const identity = await issued({}, middle)
  const check = new PeerCheck({ ...plain, clientCaPem: root.certPem })
  await using server = await peerServer(pki, (req) => check.identify(req, { now: Date.now(), grace: false }))
  const agent = new https.Agent({ keepAlive: false })
  const call = () => ask(server, pki, { identity, intermediates: middle.certPem, agent })
  expect(await call()).toMatchObject({ host: 'lab-07', resumed: false })
  check.setClientCa(root.certPem + foreign.certPem)
  expect(await call()).toMatchObject({ host: 'lab-07', resumed: true })
  // What was of use once proves nothing without its root.
  check.setClientCa(foreign.certPem)
  expect(await call()).toMatchObject({ code: 'certificate-untrusted', resumed: true })
})

test('an authority that is taken out of the file lets nobody in any more', async () => {
  const check = new PeerCheck({ ...plain, clientCaPem: pki.authority.certPem })
  await using server = await peerServer(pki, (req) => check.identify(req, { now: Date.now(), grace: false }))
  expect(await ask(server, pki, { identity: pki.host })).toMatchObject({ host: 'lab-07' })
  check.setClientCa(foreign.certPem)
  expect(await ask(server, pki, { identity: pki.host })).toMatchObject({ code: 'certificate-untrusted' })
})

test('a client_ca_file without an authority is a configuration error', () => {
  expect(() => new PeerCheck({ ...plain, clientCaPem: 'nonsense' })).toThrow('client_ca_file: no readable certificate')
  expect(() => new PeerCheck({ ...plain, clientCaPem: pki.host.certPem })).toThrow('CA:TRUE')
})
