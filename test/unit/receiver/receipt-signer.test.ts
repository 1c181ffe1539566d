import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { ed25519Verify } from '@cis490/shared/node/ed25519.ts'
import { parseReceiptSignature, vouchText } from '@cis490/shared/receipt-signature.ts'
import { describe, expect, test } from 'vitest'
import { createKeyFile, rotateKeyFile } from '../../../packages/receiver/src/receipts/key-file.ts'
import { ReceiptSigner } from '../../../packages/receiver/src/receipts/signer.ts'
import { makeReceiptKey } from '../../support/receipt-keys.ts'
import { scratchDir } from '../../support/scratch.ts'

function keyFile(text: string, mode = 0o600): string {
  const path = join(scratchDir(), 'receipt.key')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

const [newer, older] = [makeReceiptKey(), makeReceiptKey()]

test('the first key signs, and its signature is one', () => {
  const signature = parseReceiptSignature(new ReceiptSigner(keyFile(newer.pem + older.pem)).sign('{"id":"a"}') ?? '')
  expect(signature?.key).toBe(newer.id)
  expect(ed25519Verify('{"id":"a"}', newer.publicKey, signature?.signature ?? '')).toBe(true)
})

test('the older keys vouch for the newer, and never the other way', () => {
  const { keys } = new ReceiptSigner(keyFile(newer.pem + older.pem)).keys()
  expect(keys.map(({ id, current, vouched_by }) => [id, current, vouched_by.map((one) => one.id)])).toEqual([
    [newer.id, true, [older.id]],
    [older.id, false, []],
  ])
  expect(ed25519Verify(vouchText(newer.publicKey), older.publicKey, keys[0]?.vouched_by[0]?.signature ?? '')).toBe(true)
})

test('without a file nothing is signed', () => {
  const signer = new ReceiptSigner('')
  expect([signer.sign('x'), signer.keys()]).toEqual([undefined, { keys: [] }])
})

test('a key of the real openssl is taken, and openssl verifies what it signs', () => {
  const dir = scratchDir()
  const path = join(dir, 'receipt.key')
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', path])
  const header = parseReceiptSignature(new ReceiptSigner(path).sign('{"id":"a"}') ?? '')
  execFileSync('openssl', ['pkey', '-in', path, '-pubout', '-out', join(dir, 'pub.pem')])
  writeFileSync(join(dir, 'a.json'), '{"id":"a"}')
  writeFileSync(join(dir, 'a.json.sig'), Buffer.from(header?.signature ?? '', 'base64'))
  const args = ['pkeyutl', '-verify', '-pubin', '-inkey', 'pub.pem', '-rawin', '-in', 'a.json', '-sigfile', 'a.json.sig']
  expect(execFileSync('openssl', args, { cwd: dir, encoding: 'utf8' })).toContain('Signature Verified Successfully')
})

describe('a key file is a mistake in the configuration', () => {
  const rsa = execFileSync('openssl', ['genpkey', '-algorithm', 'rsa', '-pkeyopt', 'rsa_keygen_bits:2048'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  test.each([
    ['that others can write', newer.pem, 0o602, /mode 602/],
    ['that its group can write', newer.pem, 0o660, /mode 660/],
    ['that is empty', '', 0o600, /no private key/],
    ['of another kind', rsa, 0o600, /Ed25519/],
    ['that is damaged', newer.pem.replace(/M[A-Za-z0-9]/, '!!'), 0o600, /key 1/],
    ['with one key twice', newer.pem + newer.pem, 0o600, /twice/],
  ])('%s', (_, text, mode, message) => {
    const path = keyFile(text, mode)
    expect(() => new ReceiptSigner(path)).toThrow(ConfigError)
    expect(() => new ReceiptSigner(path)).toThrow(message)
  })

  test('that is not there', () => {
    expect(() => new ReceiptSigner(join(scratchDir(), 'absent'))).toThrow(ConfigError)
  })
})

test.each([
  [0o644, /everybody .* chmod 600/],
  [0o640, undefined],
  [0o600, undefined],
])('mode %o is warned of or not', (mode, expected) => {
  const { warning } = new ReceiptSigner(keyFile(newer.pem, mode))
  if (expected) expect(warning).toMatch(expected)
  else expect(warning).toBeUndefined()
})

test('a reload takes up a rotated file, and a bad one leaves the old keys', () => {
  const path = keyFile(older.pem)
  const signer = new ReceiptSigner(path)
  writeFileSync(path, newer.pem + older.pem)
  signer.reload()
  expect(signer.keys().keys[0]?.id).toBe(newer.id)
  writeFileSync(path, 'nonsense')
  expect(() => signer.reload()).toThrow(ConfigError)
  expect(signer.keys().keys[0]?.id).toBe(newer.id)
})

test('the command makes a file once, only for its owner, and puts new keys in front', async () => {
  const path = join(scratchDir(), 'receipt.key')
  expect(await rotateKeyFile(path)).toBe(false)
  expect(await createKeyFile(path)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const first = readFileSync(path, 'utf8')
  expect(await createKeyFile(path)).toBe(false)
  expect(readFileSync(path, 'utf8')).toBe(first)
  expect(await rotateKeyFile(path)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const [current, kept] = new ReceiptSigner(path).keys().keys
  expect([current?.current, kept?.current]).toEqual([true, false])
  expect(readFileSync(path, 'utf8').endsWith(first)).toBe(true)
})

test.skipIf(process.getuid?.() !== 0)('a rotation by root leaves the file with its owner', async () => {
  const path = keyFile(older.pem, 0o640)
  chownSync(path, 12345, 12346)
  await rotateKeyFile(path)
  const { uid, gid, mode } = statSync(path)
  expect([uid, gid, mode & 0o777]).toEqual([12345, 12346, 0o640])
})
