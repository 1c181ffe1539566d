/** The files of the CA over its years, with crashes between them. */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createAuthority, issueCertificate } from '../../../packages/receiver/src/ca/authority.ts'
import { type AuthorityFiles, loadAuthorities } from '../../../packages/receiver/src/ca/authority-files.ts'
import { type CaSettings, present, tendCa } from '../../../packages/receiver/src/ca/tend.ts'
import { scratchDir } from '../../support/scratch.ts'

const day = 86_400_000
const lifetime = 30 * day
const now = Date.UTC(2026, 10, 22)

function settings(change: Partial<CaSettings['ca']> = {}): CaSettings & { readonly tls: AuthorityFiles } {
  const stateDir = join(scratchDir(), 'state')
  const files = (name: string) => ({
    cert_file: join(stateDir, 'files', `${name}.crt`),
    key_file: join(stateDir, 'files', `${name}.key`),
  })
  return {
    stateDir,
    ca: { ...files('ca'), lifetime, server_names: ['Receiver.lab', '192.0.2.1'], ...change },
    tls: files('server'),
  }
}
const read = (path: string) => readFileSync(path, 'utf8')
const serverOf = (made: CaSettings) => new X509Certificate(read(made.tls?.cert_file ?? ''))
const keyOf = (made: CaSettings) => createPublicKey(read(made.tls?.key_file ?? '')).export({ type: 'spki', format: 'pem' })

test('the first time makes the CA and a server certificate that it signed, the second time nothing', async () => {
  const made = settings()
  const { events, issuer, pin } = await tendCa(made, now)
  expect(events).toEqual(['ca-made', 'server-certificate'])
  expect(pin).toBe(issuer?.pin)
  const server = serverOf(made)
  expect([server.checkHost('receiver.lab'), server.checkIP('192.0.2.1')]).toEqual(['receiver.lab', '192.0.2.1'])
  expect(issuer && server.verify(issuer.x509.publicKey)).toBe(true)
  expect(server.validToDate.getTime()).toBe(now + lifetime)
  for (const path of [made.ca.key_file, made.tls.key_file]) expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(read(made.ca.key_file).match(/PRIVATE KEY/g)).toHaveLength(2)
  expect((await tendCa(made, now + 1)).events).toEqual([])
})

test('two that begin at once make one CA', async () => {
  const made = settings()
  await Promise.all([tendCa(made, now), tendCa(made, now)])
  expect(await loadAuthorities(made.ca)).toHaveLength(1)
})

test('the server certificate is renewed at two thirds with the same key: only one file is replaced', async () => {
  const made = settings()
  await tendCa(made, now)
  const [before, key] = [serverOf(made), keyOf(made)]
  const due = before.validFromDate.getTime() + ((before.validToDate.getTime() - before.validFromDate.getTime()) * 2) / 3
  expect((await tendCa(made, due - 1)).events).toEqual([])
  expect((await tendCa(made, due)).events).toEqual(['server-certificate'])
  expect(serverOf(made).serialNumber).not.toBe(before.serialNumber)
  expect(keyOf(made)).toEqual(key)
})

test('other names in the configuration make another server certificate', async () => {
  const made = settings()
  await tendCa(made, now)
  const renamed = { ...made, ca: { ...made.ca, server_names: ['elsewhere.lab'] } }
  expect((await tendCa(renamed, now)).events).toEqual(['server-certificate'])
  expect(serverOf(made).checkHost('elsewhere.lab')).toBe('elsewhere.lab')
})

test('a server certificate of another CA is never replaced', async () => {
  const made = settings()
  await tendCa(made, now)
  const foreign = await issueCertificate(await createAuthority({ name: 'of the site' }), { commonName: 'x', usage: 'server' })
  writeFileSync(made.tls.cert_file, foreign.certPem)
  writeFileSync(made.tls.key_file, foreign.keyPem)
  expect((await tendCa(made, now + 20 * day)).events).toEqual([])
  expect(read(made.tls.cert_file)).toBe(foreign.certPem)
})

test('without server_names no server certificate is made, and the message says which key is missing', async () => {
  await expect(tendCa(settings({ server_names: [] }), now)).rejects.toThrow(/^ca\.server_names: name the receiver/)
})

test('a crash after the key of the CA, or after that of the server, is ended with these keys', async () => {
  const made = settings()
  await tendCa(made, now)
  const [caKey, serverKey] = [read(made.ca.key_file), keyOf(made)]
  rmSync(made.ca.cert_file)
  rmSync(made.tls.cert_file)
  const { events, authorities } = await tendCa(made, now)
  expect(events).toEqual(['ca-made', 'server-certificate'])
  expect(authorities.map(({ hasKey }) => hasKey)).toEqual([true])
  expect([read(made.ca.key_file), keyOf(made)]).toEqual([caKey, serverKey])
})

test('the successor comes a year before the end, signs after the hosts had time to learn it, and stays alone', async () => {
  const made = settings()
  const first = (await tendCa(made, now)).pin
  const soon = now + 3286 * day
  const due = await tendCa(made, soon)
  expect(due.events).toEqual(['successor-made', 'server-certificate'])
  expect([due.authorities.length, due.issuer?.pin, due.pin]).toEqual([2, first, first])
  const learnt = await tendCa(made, soon + 91 * day)
  const second = learnt.authorities[1]?.pin
  expect([learnt.issuer?.pin, learnt.pin]).toEqual([second, second])
  expect(learnt.authorities.map(({ pin }) => pin)).toContain(first)
  const after = await tendCa(made, now + 3650 * day)
  expect(after.events).toContain('ca-ended')
  expect(after.authorities.map(({ pin }) => pin)).toEqual([second])
  expect(read(made.ca.key_file).match(/BEGIN/g)).toHaveLength(1)
})

test('a crash between key and certificate of the successor leaves no third key', async () => {
  const made = settings()
  await tendCa(made, now)
  const before = read(made.ca.cert_file)
  await tendCa(made, now + 3286 * day)
  const keys = read(made.ca.key_file)
  writeFileSync(made.ca.cert_file, before)
  expect((await tendCa(made, now + 3287 * day)).events).toContain('successor-made')
  expect(read(made.ca.key_file)).toBe(keys)
  expect((await loadAuthorities(made.ca)).map(({ hasKey }) => hasKey)).toEqual([true, true])
})

test('a CA that is not there makes no second one while certificates of it live; asked for, one is made', async () => {
  const made = settings()
  await tendCa(made, now)
  const iso = (ms: number) => new Date(ms).toISOString()
  writeFileSync(
    join(made.stateDir, 'ca', 'issued.jsonl'),
    `${JSON.stringify({
      at: iso(now),
      host: 'lab-07',
      serial: '01',
      fingerprint: 'a'.repeat(64),
      not_after: iso(now + lifetime),
      by: 'token',
      joined_at: iso(now),
    })}\n`,
  )
  for (const path of [made.ca.cert_file, made.ca.key_file]) rmSync(path)
  await expect(tendCa(made, now + day)).rejects.toThrow(
    /ca\.crt: it is not there, and 1 certificate of its CA still lives: restore it/,
  )
  expect(existsSync(made.ca.cert_file)).toBe(false)
  expect((await tendCa(made, now + 31 * day)).events).toContain('ca-made')
})

test('a lost key makes no new CA unasked; asked for, the old one goes on vouching', async () => {
  const made = settings()
  const first = (await tendCa(made, now)).pin
  rmSync(made.ca.key_file)
  const lost = await tendCa(made, now + 25 * day)
  expect([lost.events, lost.issuer, lost.authorities.length]).toEqual([[], undefined, 1])
  expect(existsSync(made.ca.key_file)).toBe(false)
  const anew = await tendCa(made, now + day, true)
  expect(anew.events).toEqual(['successor-made'])
  expect(anew.issuer?.pin).toBe(anew.authorities[1]?.pin)
  expect(anew.pin, 'the pin is of the CA that hosts meet').toBe(first)
  expect((await present(made, now + day)).authorities.map(({ hasKey }) => hasKey)).toEqual([false, true])
})

test.each([
  ['cert_file', 'nonsense', /ca\.cert_file: .* is not in PEM form/],
  ['key_file', 'nonsense', /ca\.key_file: .* is not in PEM form/],
  ['cert_file', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /ca\.cert_file: .* cannot be read; restore/],
  ['key_file', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', /ca\.key_file: .* cannot be read; restore/],
] as const)('a damaged %s (%s) is told with its path, and not replaced', async (key, text, message) => {
  const made = settings()
  await tendCa(made, now)
  writeFileSync(made.ca[key], text)
  await expect(tendCa(made, now)).rejects.toThrow(message)
  expect(read(made.ca[key])).toBe(text)
})

test('a server certificate in the place of the CA is told so', async () => {
  const made = settings()
  await tendCa(made, now)
  writeFileSync(made.ca.cert_file, read(made.tls.cert_file))
  await expect(tendCa(made, now)).rejects.toThrow(/not that of an authority/)
})
