/** `cis490-agent verify` and `receipt` as processes, and openssl on what they give out. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ed25519Pem } from '@cis490/shared/node/ed25519.ts'
import { expect, test } from 'vitest'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { runToEnd } from '../../support/program.ts'
import { makeReceiptKey, signed } from '../../support/receipt-keys.ts'
import { shipBench } from '../../support/ship-bench.ts'

const key = makeReceiptKey()

/** A delivered episode `a` whose folder is still there, its archive beside, and the receipt with its signature. */
async function delivered() {
  const { home, context, shipping } = await shipBench({ url: 'http://127.0.0.1:1' })
  const folder = recordEpisode(home, 'a')
  await scan(context)
  const [entry] = await context.outbox.entries()
  if (!entry) throw new Error('nothing was packed')
  const archive = join(home.root, 'a.tar.zst')
  writeFileSync(archive, readFileSync(context.outbox.archivePath(entry.id)))
  const receipt = `{ "id": "a", "host": "lab-07", "sha256": "${entry.sha256}", "bytes": ${entry.bytes}, "received_at": "2026-11-21T12:00:00.000Z" }`
  await context.outbox.settleDelivered(entry, receipt, signed(receipt, key))
  await shipping.pins.add(
    [{ id: key.id, public_key: key.publicKey, how: 'first-use', vouched_by: [] }],
    '2026-11-21T12:00:00.000Z',
  )
  const run = (...args: string[]) => runToEnd('agent', [...args, '--config', home.config])
  return { home, folder, archive, receipt, run }
}

test('a delivered episode is verified by its id, against its archive and against its folder', async () => {
  const { folder, archive, run } = await delivered()
  const [byId, withArchive, withFolder] = [
    await run('verify', 'a', '--json'),
    await run('verify', 'a', archive),
    await run('verify', 'a', folder),
  ]
  expect([byId.code, JSON.parse(byId.stdout)]).toMatchObject([
    0,
    { verdict: 'valid', key: key.id, receipt: { id: 'a', host: 'lab-07' } },
  ])
  expect([withArchive.code, withArchive.stdout]).toEqual([
    0,
    expect.stringContaining(`valid: signed by ${key.id}, the bytes agree`),
  ])
  expect([withFolder.code, withFolder.stdout]).toEqual([0, expect.stringContaining('the bytes agree')])
  writeFileSync(join(folder, 'telemetry.csv'), 'changed\n')
  const changed = await run('verify', 'a', folder)
  expect([changed.code, changed.stdout]).toEqual([1, expect.stringContaining('invalid: the receipt is for')])
})

test('what `receipt` gives out is verified by openssl alone, and here without a configuration', async () => {
  const { home, receipt, run } = await delivered()
  const out = join(home.root, 'audit')
  mkdirSync(out)
  const gave = await run('receipt', 'a', '--out', out)
  expect(gave.stdout.trim().split('\n')).toEqual([join(out, 'a.json'), join(out, 'a.json.sig'), join(out, `${key.id}.pem`)])
  expect(readFileSync(join(out, 'a.json'), 'utf8')).toBe(receipt)
  const args = ['pkeyutl', '-verify', '-pubin', '-inkey', `${key.id}.pem`, '-rawin', '-in', 'a.json', '-sigfile', 'a.json.sig']
  expect(execFileSync('openssl', args, { cwd: out, encoding: 'utf8' })).toContain('Signature Verified Successfully')
  const verify = (...more: string[]) => runToEnd('agent', ['verify', join(out, 'a.json'), ...more])
  expect((await verify('--key', join(out, `${key.id}.pem`))).code).toBe(0)
  writeFileSync(join(out, 'a.json'), receipt.replace('lab-07', 'lab-08'))
  expect(() => execFileSync('openssl', args, { cwd: out, stdio: 'pipe' })).toThrow()
  const forged = await verify('--key', join(out, `${key.id}.pem`))
  expect([forged.code, forged.stdout]).toEqual([1, expect.stringContaining('invalid: the signature is not that of')])
})

test('what cannot be told is exit 3: no signature, an unknown key, no such receipt', async () => {
  const { home, receipt, run } = await delivered()
  const path = join(home.root, 'alone.json')
  writeFileSync(path, receipt)
  const unsigned = await run('verify', path)
  expect([unsigned.code, unsigned.stdout]).toEqual([3, expect.stringContaining('unknown: the receipt is not signed')])
  writeFileSync(`${path}.sig`, signed(receipt, makeReceiptKey()))
  const unknownKey = await run('verify', path)
  expect([unknownKey.code, unknownKey.stdout]).toEqual([
    3,
    expect.stringMatching(/unknown: the key [0-9a-f]{16} is not known here/),
  ])
  const nothing = await run('verify', 'no-such-episode')
  expect([nothing.code, nothing.stderr]).toEqual([3, expect.stringContaining('neither a file nor an episode')])
  writeFileSync(`${path}.sig`, signed(receipt, key))
  writeFileSync(join(home.root, 'keys.pem'), ed25519Pem(makeReceiptKey().publicKey) + ed25519Pem(key.publicKey))
  expect((await run('verify', path, '--key', join(home.root, 'keys.pem'))).code).toBe(0)
})
