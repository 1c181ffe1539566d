import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostName, Sha256 } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { caPaths } from '../../../packages/receiver/src/ca/paths.ts'
import { appendRevoked, makeRevokedFile, readRevoked } from '../../../packages/receiver/src/ca/revocations.ts'
import { TokenStore } from '../../../packages/receiver/src/ca/token-store.ts'
import { revokedText } from '../../../packages/receiver/src/commands/revoked-text.ts'
import { isRevoked, revokedBy, sharedFate } from '../../../packages/receiver/src/core/revocation.ts'
import { networkOf } from '../../../packages/receiver/src/http/address.ts'
import { runToEnd } from '../../support/program.ts'
import { scratchDir } from '../../support/scratch.ts'

const issued = [
  { fingerprint: 'root', token: 't1', key_sha256: 'k1' },
  { fingerprint: 'twin', token: 't1', key_sha256: 'k1' },
  { fingerprint: 'child', replaces: 'root', key_sha256: 'k2' },
  { fingerprint: 'grandchild', replaces: 'child', key_sha256: 'k3' },
  { fingerprint: 'of twin', replaces: 'twin', key_sha256: 'k4' },
  { fingerprint: 'other', token: 't2', key_sha256: 'k5' },
  { fingerprint: 'old row' },
  { fingerprint: 'after old row', replaces: 'old row' },
]

test.each([
  ['root', ['root', 'twin', 'child', 'grandchild', 'of twin']],
  ['twin', ['root', 'twin', 'child', 'grandchild', 'of twin']],
  ['child', ['child', 'grandchild']],
  ['grandchild', ['grandchild']],
  ['of twin', ['of twin']],
  ['other', ['other']],
  ['old row', ['old row', 'after old row']],
  ['nobody', []],
])('who has the key of %s has %j', (fingerprint, fate) => {
  const names = (rows: typeof issued) => sharedFate(rows, fingerprint).map((row) => row.fingerprint)
  expect(names(issued)).toEqual(fate)
  expect(names(issued.toReversed()).toSorted()).toEqual(fate.toSorted())
})

test('what was renewed from a certificate without a row of its own goes with it, and a key that was kept counts both ways', () => {
  const rows = [
    { fingerprint: 'first', replaces: 'not recorded', key_sha256: 'k1' },
    { fingerprint: 'second', replaces: 'first', key_sha256: 'k1' },
  ]
  expect(sharedFate(rows, 'not recorded')).toEqual(rows)
  expect(sharedFate(rows, 'second')).toEqual(rows)
})

test('a certificate is out with any that it renewed, in a circle too', () => {
  const before = new Map([
    ['c', 'b'],
    ['b', 'a'],
    ['x', 'y'],
    ['y', 'x'],
  ])
  const is = (fingerprint: string, ...out: string[]) =>
    isRevoked(revokedBy(out.map((one) => ({ at: 5, fingerprint: one }))), { host: 'lab', fingerprint, joinedAt: 9 }, (one) =>
      before.get(one),
    )
  expect([is('c', 'a'), is('c', 'b'), is('b', 'c'), is('a', 'b'), is('x', 'a'), is('x', 'y'), is('x')]).toEqual([
    true,
    true,
    false,
    false,
    false,
    true,
    false,
  ])
})

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::9', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  ['', ''],
])('limits count %j as %j', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('a receiver that starts cuts off nothing of a revocation that is being written', async () => {
  const path = join(scratchDir(), 'state', 'revoked.jsonl')
  await makeRevokedFile(path)
  expect(readFileSync(path, 'utf8')).toBe('')
  writeFileSync(path, '{"at":')
  await makeRevokedFile(path)
  expect(readFileSync(path, 'utf8')).toBe('{"at":')
})

test('a last row whose newline an editor took counts, and is not cut off by the next; half a row is', async () => {
  const path = join(scratchDir(), 'revoked.jsonl')
  const row = (host: string) => ({ at: '2026-11-22T00:00:00.000Z', host: HostName.parse(host), reason: '', by: 'somebody' })
  const hosts = () => [...readRevoked(readFileSync(path, 'utf8'), path).hosts.keys()]
  writeFileSync(path, JSON.stringify(row('lab-01')))
  expect(hosts()).toEqual(['lab-01'])
  await appendRevoked(path, row('lab-02'))
  expect(hosts()).toEqual(['lab-01', 'lab-02'])
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"at":"2026`)
  expect(hosts()).toEqual(['lab-01', 'lab-02'])
  await appendRevoked(path, row('lab-03'), row('lab-04'))
  expect(hosts()).toEqual(['lab-01', 'lab-02', 'lab-03', 'lab-04'])
})

test('the command writes nothing to a list that the receiver could not read, and says which line', async () => {
  const dir = scratchDir()
  const [path, config] = [join(dir, 'revoked.jsonl'), join(dir, 'receiver.toml')]
  writeFileSync(path, '{"host":"lab-01"}\n')
  writeFileSync(config, `state_dir = "${dir}"\n`)
  const { code, stderr } = await runToEnd('receiver', ['revoke', 'lab-02', '--config', config])
  expect([code, stderr]).toEqual([
    78,
    `cis490-receiver: bad configuration\n${path}:1: this is no revocation; correct the line, or take it out\n`,
  ])
  expect(readFileSync(path, 'utf8')).toBe('{"host":"lab-01"}\n')
})

test('to revoke a name that nobody has passed for a host that is out', async () => {
  const dir = scratchDir()
  const config = join(dir, 'receiver.toml')
  const ca = `[ca]\ncert_file = "${dir}/ca/ca.crt"\nkey_file = "${dir}/ca/ca.key"\nserver_names = ["receiver.lab"]\n`
  writeFileSync(config, `state_dir = "${dir}"\n${ca}`)
  await new TokenStore(caPaths(dir).tokens).create(
    HostName.parse('lab-08'),
    'ab'.repeat(32),
    { now: Date.now(), ms: 60_000 },
    'me',
  )
  const revoke = async (host: string) => {
    const { code, stdout } = await runToEnd('receiver', ['revoke', host, '--json', '--config', config])
    return [code, (JSON.parse(stdout) as { on_record: boolean }).on_record]
  }
  // One with a token alone is known.
  expect(await Promise.all([revoke('lab-70'), revoke('lab-08')])).toEqual([
    [1, false],
    [0, true],
  ])
  expect([...readRevoked(readFileSync(join(dir, 'revoked.jsonl'), 'utf8'), '').hosts.keys()].toSorted()).toEqual([
    'lab-08',
    'lab-70',
  ])
})

test('the command says what is out, what is left and what the host needs next', () => {
  const one = (digit: string, host: string) =>
    ({ fingerprint: Sha256.parse(digit.repeat(64)), host, not_after: '2026-12-01T00:00:00.000Z' }) as never
  const base = { at: '2026-11-22T00:00:00.000Z', reason: '', by: 'somebody' }
  const text = revokedText(
    {
      revoked: { ...base, fingerprint: Sha256.parse('a'.repeat(64)) },
      on_record: true,
      certificates: [one('a', 'lab-07'), one('b', 'lab-07')],
      tokens: ['00000000'],
      left: [one('c', 'lab-07')],
    },
    true,
  )
  expect(text.split('\n')).toEqual([
    `revoked: certificate ${'a'.repeat(64)} (2 certificates of our CA, 1 token); requests are refused within a second`,
    `  ${'a'.repeat(64)}  lab-07  until 2026-12-01T00:00:00.000Z`,
    `  ${'b'.repeat(64)}  lab-07  until 2026-12-01T00:00:00.000Z`,
    'still good: 1 other certificate',
    `  ${'c'.repeat(64)}  lab-07  until 2026-12-01T00:00:00.000Z`,
    'to throw the whole host out: cis490-receiver revoke lab-07',
    'to let lab-07 in again: cis490-receiver token create --host lab-07',
    '',
  ])
  const nobody = { revoked: { ...base, host: 'lab-70' as never }, on_record: false, certificates: [], tokens: [], left: [] }
  const unheard = 'no certificate of that name is on record here: is it right? It is revoked all the same\n'
  expect(revokedText(nobody, true)).toContain(unheard)
  const elsewhere = revokedText({ ...nobody, on_record: true }, false)
  expect([elsewhere.includes('on record'), elsewhere.includes('token create')]).toEqual([false, false])
})
