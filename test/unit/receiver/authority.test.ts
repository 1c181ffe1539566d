import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  certify,
  createAuthority,
  issueCertificate,
  loadAuthority,
  selfSigned,
} from '../../../packages/receiver/src/ca/authority.ts'
import { expired, foreignAuthority, makePki, type Pki, sameNameAuthority, writeIssued } from '../../support/pki.ts'

let dir: string
let pki: Pki
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'authority-'))
  pki = await makePki(dir)
})
afterAll(() => rm(dir, { recursive: true }))

function openssl(...args: string[]): { ok: boolean; text: string } {
  try {
    return { ok: true, text: execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }) }
  } catch (error) {
    return { ok: false, text: String((error as { stderr: string }).stderr) }
  }
}
const verify = (purpose: string, file: string, ...more: string[]) =>
  openssl('verify', '-x509_strict', '-purpose', purpose, ...more, '-CAfile', pki.caFile, file)

test('openssl accepts the server certificate as a server and for its names only', () => {
  expect(verify('sslserver', pki.server.certFile, '-verify_hostname', 'localhost').text).toContain('OK')
  expect(verify('sslserver', pki.server.certFile, '-verify_ip', '127.0.0.1').ok).toBe(true)
  expect(verify('sslserver', pki.server.certFile, '-verify_hostname', 'elsewhere').ok).toBe(false)
  expect(verify('sslclient', pki.server.certFile).text).toMatch(/unsuitable certificate purpose|unsupported certificate purpose/)
})

test('openssl accepts the host certificate as a client and not as a server', () => {
  expect(verify('sslclient', pki.host.certFile).ok).toBe(true)
  expect(verify('sslserver', pki.host.certFile).ok).toBe(false)
})

test('openssl finds the authority itself in order', () => {
  expect(openssl('verify', '-x509_strict', '-check_ss_sig', '-CAfile', pki.caFile, pki.caFile).ok).toBe(true)
  const text = openssl('x509', '-in', pki.caFile, '-noout', '-text').text
  expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
  expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/)
  expect(text).toContain('NIST CURVE: P-256')
})

test('a certificate names its own key and that of the authority', () => {
  const keyId = (file: string, extension: string) =>
    /([0-9A-F]{2}(?::[0-9A-F]{2}){19})/.exec(openssl('x509', '-in', file, '-noout', '-ext', extension).text)?.[1]
  expect(keyId(pki.host.certFile, 'authorityKeyIdentifier')).toBeDefined()
  expect(keyId(pki.host.certFile, 'authorityKeyIdentifier')).toBe(keyId(pki.caFile, 'subjectKeyIdentifier'))
  expect(keyId(pki.host.certFile, 'subjectKeyIdentifier')).not.toBe(keyId(pki.caFile, 'subjectKeyIdentifier'))
})

test('serial numbers are positive, of 127 bits, and differ', () => {
  const serials = [pki.host, pki.server].map((issued) => new X509Certificate(issued.certPem).serialNumber)
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/)
  expect(new Set(serials).size).toBe(2)
})

test('the key of an issued certificate is its own', () => {
  expect(new X509Certificate(pki.host.certPem).checkPrivateKey(createPrivateKey(pki.host.keyPem))).toBe(true)
  expect(new X509Certificate(pki.host.certPem).checkPrivateKey(createPrivateKey(pki.server.keyPem))).toBe(false)
})

test('the dates are those that were asked for', async () => {
  const dates = { notBefore: new Date('2026-01-02T03:04:05Z'), notAfter: new Date('2026-02-03T04:05:06Z') }
  const cert = new X509Certificate(
    (await issueCertificate(pki.authority, { commonName: 'a', usage: 'client', ...dates })).certPem,
  )
  expect([cert.validFromDate, cert.validToDate]).toEqual([dates.notBefore, dates.notAfter])
})

test('openssl refuses what is expired, self-signed, of a foreign authority, or of one with the same name', async () => {
  const client = { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'client' as const }
  const bad = {
    expired: await issueCertificate(pki.authority, { ...client, ...expired(1) }),
    'self-signed': await selfSigned(client),
    foreign: await issueCertificate(await foreignAuthority(), client),
    'same-name': await issueCertificate(await sameNameAuthority(pki.authority), client),
  }
  for (const [name, issued] of Object.entries(bad)) {
    const { certFile } = await writeIssued(dir, name, issued)
    expect(verify('sslclient', certFile).ok, name).toBe(false)
  }
})

test('an intermediate authority may issue where the root allows one', async () => {
  const root = await createAuthority({ name: 'root', pathLength: 1 })
  const middle = await createAuthority({ name: 'middle', issuedBy: root })
  const leaf = await issueCertificate(middle, { commonName: 'lab-01', usage: 'client' })
  const { certFile } = await writeIssued(dir, 'leaf', leaf)
  await writeFile(join(dir, 'root.crt'), root.certPem)
  await writeFile(join(dir, 'middle.crt'), middle.certPem)
  const chain = openssl(
    'verify',
    '-x509_strict',
    '-CAfile',
    join(dir, 'root.crt'),
    '-untrusted',
    join(dir, 'middle.crt'),
    certFile,
  )
  expect(chain.ok).toBe(true)
})

test('an authority is taken up from its files, in the key format of openssl too', async () => {
  const sec1 = createPrivateKey(pki.authority.keyPem).export({ type: 'sec1', format: 'pem' }).toString()
  for (const keyPem of [pki.authority.keyPem, sec1]) {
    const loaded = await loadAuthority(pki.authority.certPem, keyPem)
    const { certFile } = await writeIssued(dir, 'loaded', await issueCertificate(loaded, { commonName: 'x', usage: 'client' }))
    expect(verify('sslclient', certFile).ok).toBe(true)
  }
})

test("a key that is not the authority's is refused", async () => {
  await expect(loadAuthority(pki.authority.certPem, pki.host.keyPem)).rejects.toThrow('does not belong')
})

test('a key that somebody else holds is certified', async () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const certPem = await certify(
    pki.authority,
    { commonName: 'rsa', usage: 'client' },
    new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
  )
  expect(new X509Certificate(certPem).publicKey.equals(publicKey)).toBe(true)
  await writeFile(join(dir, 'rsa.crt'), certPem)
  expect(verify('sslclient', join(dir, 'rsa.crt')).ok).toBe(true)
})

test('a host name that is too long for a common name stands in the SAN alone', async () => {
  const name = `${'a'.repeat(60)}.${'b'.repeat(60)}`
  const issued = await issueCertificate(pki.authority, { commonName: name, dnsNames: [name], usage: 'client' })
  const { certFile } = await writeIssued(dir, 'long', issued)
  expect(verify('sslclient', certFile, '-verify_hostname', name).ok).toBe(true)
})
