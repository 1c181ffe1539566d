/** Requests as openssl makes them. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { readRequest } from '../../../packages/receiver/src/ca/signing-request.ts'
import { judgeRequest } from '../../../packages/receiver/src/core/signing-request.ts'

function request(kind: readonly string[], subject = '/CN=lab-07', ...more: string[]): Buffer {
  const args = ['req', '-new', '-newkey', ...kind, '-nodes', '-keyout', '/dev/null', '-subj', subject, '-outform', 'DER', ...more]
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] })
}
const curve = (name: string) => ['ec', '-pkeyopt', `ec_paramgen_curve:${name}`]
const p256 = curve('P-256')

async function verdict(der: Uint8Array, host = 'lab-07'): Promise<string> {
  const read = await readRequest(der)
  return read === undefined ? 'unreadable' : judgeRequest(read, host)
}

test.each([
  ['P-256', p256, 'good'],
  ['P-384', curve('P-384'), 'good'],
  ['Ed25519', ['ed25519'], 'good'],
  ['RSA 2048', ['rsa:2048'], 'good'],
  ['RSA 1024', ['rsa:1024'], 'key-size'],
  ['P-521', curve('P-521'), 'key-kind'],
  ['secp256k1', curve('secp256k1'), 'key-kind'],
  ['Ed448', ['ed448'], 'key-kind'],
])('a key of %s', async (_, kind, expected) => {
  expect(await verdict(request(kind))).toBe(expected)
})

test.each([
  ['no name at all', '/', [], 'good'],
  ['the host in capitals', '/CN=LAB-07', [], 'good'],
  ['the host as SAN too', '/CN=lab-07', ['-addext', 'subjectAltName=DNS:lab-07'], 'good'],
  ['another host', '/CN=lab-08', [], 'other-name'],
  ['another host in the SAN', '/CN=lab-07', ['-addext', 'subjectAltName=DNS:lab-07,DNS:lab-08'], 'other-name'],
  ['another host as second CN', '/CN=lab-07/CN=lab-08', [], 'other-name'],
  ['an address', '/CN=lab-07', ['-addext', 'subjectAltName=DNS:lab-07,IP:192.0.2.1'], 'other-name'],
  ['a name that ends alike', '/CN=lab-07.evil', [], 'other-name'],
  ['an authority, which is not looked at', '/CN=lab-07', ['-addext', 'basicConstraints=critical,CA:TRUE'], 'good'],
])('a request for %s', async (_, subject, more, expected) => {
  expect(await verdict(request(p256, subject, ...more))).toBe(expected)
})

test('a request that another key signed proves nothing', async () => {
  const der = request(p256)
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
  expect(await verdict(der)).toBe('unsigned')
})

test('bytes that are no request are told so, at whatever length they end', async () => {
  const der = request(p256)
  for (let length = 0; length < der.length; length += 7) expect(await verdict(der.subarray(0, length))).toBe('unreadable')
})
