/** Replacing certificate and key: wherever a crash comes, there is a pair that fits. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fits, readPair } from '@cis490/shared/node/key-pair.ts'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { joined, keepAuthorities, readAuthorities } from '../../../packages/agent/src/certs/authorities.ts'
import { pendingKey } from '../../../packages/agent/src/certs/pending.ts'
import { finishSwap, swapPair } from '../../../packages/agent/src/certs/swap.ts'
import { loadIdentity } from '../../../packages/agent/src/ship/identity.ts'
import {
  type Authority,
  certify,
  createAuthority,
  type Issued,
  issueCertificate,
} from '../../../packages/receiver/src/ca/authority.ts'

const day = 86_400_000
let ca: Authority
let before: Issued
let after: Issued

const lab = { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'client' } as const
beforeAll(async () => {
  ca = await createAuthority({ name: 'cis490 test CA' })
  before = await issueCertificate(ca, { ...lab, notAfter: new Date(Date.now() + 10 * day) })
  after = await issueCertificate(ca, lab)
})

function place() {
  const dir = mkdtempSync(join(tmpdir(), 'cis490-swap-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const files = { cert_file: join(dir, 'host.crt'), key_file: join(dir, 'host.key'), ca_file: '', token_file: '' }
  writeFileSync(files.cert_file, before.certPem)
  writeFileSync(files.key_file, before.keyPem, { mode: 0o600 })
  return { dir, files, newCert: `${files.cert_file}.new`, newKey: `${files.key_file}.new` }
}

type Place = ReturnType<typeof place>

/** What is done, in its order; a crash comes after any of them. */
const steps: readonly [string, (at: Place) => void, 'before' | 'after'][] = [
  ['nothing', () => undefined, 'before'],
  ['half of the new key', ({ newKey }) => writeFileSync(newKey, after.keyPem.slice(0, 50)), 'before'],
  ['the new key', ({ newKey }) => writeFileSync(newKey, after.keyPem), 'before'],
  ['half of the new certificate', ({ newCert }) => writeFileSync(newCert, after.certPem.slice(0, 200)), 'before'],
  ['the new certificate', ({ newCert }) => writeFileSync(newCert, after.certPem), 'after'],
  ['the key in its place', ({ newKey, files }) => renameSync(newKey, files.key_file), 'after'],
  ['the certificate in its place', ({ newCert, files }) => renameSync(newCert, files.cert_file), 'after'],
]

test.each(steps.map(([name, , then], at) => [name, at, then] as const))(
  'after a crash behind "%s" the daemon starts, and the next look tidies up',
  async (_, at, then) => {
    const there = place()
    for (const [, step] of steps.slice(0, at + 1)) step(there)
    expect(fits(readPair(there.files))).toBe(true)
    expect(loadIdentity(there.files, undefined).host).toBe('lab-07')

    await finishSwap(there.files)
    const wanted = then === 'after' ? after : before
    expect(readFileSync(there.files.cert_file, 'utf8')).toBe(wanted.certPem)
    expect(readFileSync(there.files.key_file, 'utf8')).toBe(wanted.keyPem)
    expect(existsSync(there.newCert)).toBe(false)
    expect(await finishSwap(there.files)).toBe(false)
  },
)

test('what is left of an old exchange does not replace a certificate that was put there since', async () => {
  const there = place()
  writeFileSync(there.newKey, before.keyPem)
  writeFileSync(there.newCert, before.certPem)
  writeFileSync(there.files.cert_file, after.certPem)
  writeFileSync(there.files.key_file, after.keyPem)
  expect(await finishSwap(there.files)).toBe(false)
  expect(readPair(there.files).cert).toBe(after.certPem.trim())
})

test('a crash between key and certificate does not throw away the one that fits, though the old one ends later', async () => {
  const there = place()
  writeFileSync(there.files.cert_file, after.certPem)
  writeFileSync(there.files.key_file, before.keyPem)
  writeFileSync(there.newCert, before.certPem)
  expect(await finishSwap(there.files)).toBe(true)
  expect(readFileSync(there.files.cert_file, 'utf8')).toBe(before.certPem)
  expect(fits(readPair(there.files))).toBe(true)
})

test('readers see one pair or the other while it is replaced over and over', async () => {
  const { files } = place()
  let done = false
  const replacing = (async () => {
    for (let round = 0; round < 5; round += 1) {
      const { key } = await pendingKey(files.key_file)
      await swapPair(files, await certify(ca, lab, await publicKeyOf(key)))
    }
    done = true
  })()
  const seen = new Set<string>()
  while (!done) {
    const pair = readPair(files)
    expect(fits(pair)).toBe(true)
    seen.add(pair.cert)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await replacing
  expect(seen.size).toBeGreaterThan(1)
})

async function publicKeyOf(key: Awaited<ReturnType<typeof pendingKey>>['key']) {
  const { createPublicKey } = await import('node:crypto')
  const { PublicKey } = await import('@peculiar/x509')
  return new PublicKey(new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' })))
}

test('the key is for its owner alone, waits for its certificate, and is taken up again', async () => {
  const { files, newKey } = place()
  const first = await pendingKey(files.key_file)
  expect(statSync(newKey).mode & 0o777).toBe(0o600)
  expect((await pendingKey(files.key_file)).pem).toBe(first.pem)
  writeFileSync(newKey, first.pem.slice(0, 40))
  const second = await pendingKey(files.key_file)
  expect(second.pem).not.toBe(first.pem)
  expect(readFileSync(files.key_file, 'utf8')).toBe(before.keyPem)
})

test('a host that has not joined yet is told how to', () => {
  const { files } = place()
  rmSync(files.cert_file)
  expect(() => loadIdentity(files, undefined)).toThrow(/host.crt: it is not there; .*sudo cis490-agent fetch-cert --token TOKEN/)
})

test('CA certificates are added to those that are there, each once, and what has expired goes', async () => {
  const { dir } = place()
  const path = join(dir, 'ca.crt')
  const successor = await createAuthority({ name: 'cis490 test CA' })
  const ended = await createAuthority({
    name: 'old',
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() - day),
  })
  writeFileSync(path, ca.certPem + ended.certPem)
  const present = await readAuthorities(path)
  writeFileSync(join(dir, 'told.crt'), ca.certPem + successor.certPem)
  const wanted = joined(present, await readAuthorities(join(dir, 'told.crt')), Date.now())
  expect(wanted.map((one) => one.toString())).toEqual([ca.certPem, successor.certPem])
  expect(await keepAuthorities(path, wanted)).toBe(true)
  expect(readFileSync(path, 'utf8')).toBe(ca.certPem + successor.certPem)
  expect(await keepAuthorities(path, wanted)).toBe(false)
})
