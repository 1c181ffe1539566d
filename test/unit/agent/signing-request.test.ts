/** Requests for certificates and the answers to them, against openssl. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultOfIssued, fingerprintOf, readCertificates } from '../../../packages/agent/src/certs/issued.ts'
import { signingRequest } from '../../../packages/agent/src/certs/pending.ts'
import { DerError, oid, readDer } from '../../../packages/agent/src/core/der.ts'
import { certificatesOf } from '../../../packages/agent/src/core/signing-request.ts'
import { createAuthority, issueCertificate } from '../../../packages/receiver/src/ca/authority.ts'
import { fingerprintOf as printOf } from '../../support/pki.ts'

const openssl = (() => {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
})()

const folder = mkdtempSync(join(tmpdir(), 'cis490-request-'))
afterAll(() => rmSync(folder, { recursive: true }))

function run(args: readonly string[], input?: Uint8Array): Buffer {
  return execFileSync('openssl', args, { ...(input && { input }), stdio: ['pipe', 'pipe', 'pipe'] })
}

function verified(request: Uint8Array): { said: string; text: string } {
  const { stderr, stdout } = spawnSync('openssl', ['req', '-inform', 'DER', '-verify', '-noout', '-text'], { input: request })
  return { said: stderr.toString() + stdout.toString(), text: stdout.toString() }
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

describe.skipIf(!openssl)('by openssl', () => {
  test.each(['lab-07', `${'a'.repeat(60)}.${'b'.repeat(60)}.lab`])(
    'a request of %s is well formed, signed and names it',
    (host) => {
      const der = Buffer.from(signingRequest(host, privateKey), 'base64')
      const { said, text } = verified(der)
      expect(said).toMatch(/verify OK/)
      expect(text).toContain(`DNS:${host}`)
      expect(text).toContain('ecdsa-with-SHA256')
      expect(/Subject: ?(.*)/.exec(text)?.[1]?.replaceAll(' ', '')).toBe(host.length > 64 ? '' : `CN=${host}`)
    },
  )

  test('a request that was changed on the way is refused', () => {
    const der = Buffer.from(signingRequest('lab-07', privateKey), 'base64')
    der.write('lab-08', der.indexOf('lab-07'))
    expect(verified(der).said).toMatch(/verify failure/)
  })
})

let issued: { certPem: string; keyPem: string }
let ca: Awaited<ReturnType<typeof createAuthority>>
let message: Buffer

beforeAll(async () => {
  ca = await createAuthority({ name: 'cis490 test CA' })
  issued = await issueCertificate(ca, { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'client' })
  if (!openssl) return
  for (const [name, text] of [
    ['host.crt', issued.certPem],
    ['ca.crt', ca.certPem],
  ] as const)
    writeFileSync(join(folder, name), text)
  const files = ['host.crt', 'ca.crt'].flatMap((name) => ['-certfile', join(folder, name)])
  message = run(['crl2pkcs7', '-nocrl', '-outform', 'DER', ...files])
})

describe.skipIf(!openssl)('the answer', () => {
  const wanted = () => {
    const authorities = readCertificates(message.toString('base64'))
    if (typeof authorities === 'string') throw new Error(authorities)
    return { host: 'lab-07', key: createPrivateKey(issued.keyPem), authorities: authorities.slice(1), now: Date.now() }
  }
  const leaf = () => (readCertificates(message.toString('base64')) as Exclude<ReturnType<typeof readCertificates>, string>)[0]

  test('gives its certificates in their order, with line breaks in the base64 too', () => {
    const lines = message.toString('base64').replaceAll(/.{64}/g, '$&\r\n')
    const found = readCertificates(lines)
    expect(Array.isArray(found) && found.map(fingerprintOf)).toEqual([printOf(issued.certPem), printOf(ca.certPem)])
  })

  test('cut off or damaged at any byte, it is told to be no such answer, or gives other certificates: nothing else happens', () => {
    for (let at = 0; at < message.length; at += 7) {
      expect(() => certificatesOf(message.subarray(0, at))).toThrow(DerError)
      const damaged = Buffer.from(message)
      damaged[at] = (damaged[at] ?? 0) ^ 0xff
      expect(['string', 'object']).toContain(typeof readCertificates(damaged.toString('base64')))
    }
  })

  test('is used when it fits, and otherwise told why not', async () => {
    const certificate = leaf()
    if (!certificate) throw new Error('no certificate')
    const fault = (changed: object) => faultOfIssued(certificate, { ...wanted(), ...changed })
    expect(fault({})).toBeUndefined()
    expect(fault({ host: 'lab-08' })).toBe('it is not for lab-08')
    expect(fault({ key: privateKey })).toBe('it is for another key')
    expect(fault({ authorities: [] })).toBe('it is not from a CA of the receiver')
    expect(fault({ now: Date.now() + 31 * 86_400_000 })).toMatch(/expired already/)
    expect(fault({ now: Date.now() - 86_400_000 })).toMatch(/not valid yet/)
  })
})

test('object identifiers are written as everybody writes them', () => {
  expect(Buffer.from(oid('1.2.840.10045.4.3.2')).toString('hex')).toBe('06082a8648ce3d040302')
  expect(Buffer.from(oid('2.5.29.17')).toString('hex')).toBe('0603551d11')
})

test.each(['30', '3005', '3080', '3085', '30820100', '3003020100ff02'])('%s is no DER', (hex) => {
  const bytes = Buffer.from(hex, 'hex')
  expect(() => readDer(bytes)).toThrow(DerError)
})
