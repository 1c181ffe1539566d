/** Receipts that come on a stick: what they prove, and how they settle beside a running agent and without one. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeReceipt, Receipt } from '@cis490/shared/receipt.ts'
import { describe, expect, test } from 'vitest'
import { mustOwn } from '../../../packages/agent/src/commands/folders.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { settleCarried } from '../../../packages/agent/src/commands/settle-carried.ts'
import { judgeCarried } from '../../../packages/agent/src/core/carried-receipt.ts'
import type { PinnedKey } from '../../../packages/agent/src/core/receipt-trust.ts'
import { verifyReceipt } from '../../../packages/agent/src/core/verify-receipt.ts'
import { arithmetic } from '../../../packages/agent/src/receipts/pins.ts'
import { readReceiptFile } from '../../../packages/agent/src/receipts/read-receipt.ts'
import { listCarried, putCarried } from '../../../packages/agent/src/receipts/spool.ts'
import { hashFile } from '../../../packages/agent/src/ship/hash.ts'
import { PrefixHash } from '../../../packages/agent/src/ship/prefix-hash.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { Program } from '../../support/program.ts'
import { makeReceiptKey, signed, told } from '../../support/receipt-keys.ts'
import { shipBench } from '../../support/ship-bench.ts'

const [ours, next, stranger] = [makeReceiptKey(), makeReceiptKey(), makeReceiptKey()]
const sha256 = 'a'.repeat(64)
const entry = { id: 'a', sha256 }
const text = encodeReceipt(Receipt.parse({ id: 'a', host: 'lab-07', sha256, bytes: 1, received_at: '2026-11-21T12:00:00.000Z' }))
const pin: PinnedKey = { id: ours.id, public_key: ours.publicKey, how: 'first-use', vouched_by: [] }
const raw = (by = ours, what = text) => ({ text, signature: signed(what, by).split(';')[2], key: undefined })

describe('a carried receipt', () => {
  const bare = { text, signature: undefined, key: undefined }
  test.each([
    ['signed by a believed key', raw(), [pin], false, { verdict: 'delivered', signed: { key: ours.id } }],
    ['unsigned, a key is believed', bare, [pin], false, { verdict: 'refused', code: 'receipt-unsigned' }],
    ['unsigned, a key is believed, and a person vouches', bare, [pin], true, { verdict: 'refused', code: 'receipt-unsigned' }],
    ['signed by a stranger', raw(stranger), [pin], true, { verdict: 'refused', code: 'receipt-forged' }],
    [
      'signed by a stranger who names himself',
      { ...raw(stranger), key: stranger.id },
      [pin],
      true,
      { verdict: 'refused', code: 'receipt-key-unknown' },
    ],
    ['for other bytes under the signature', raw(ours, `${text} `), [pin], false, { verdict: 'refused', code: 'receipt-forged' }],
    ['unsigned, no key is believed', bare, [], false, { verdict: 'refused', code: 'receipt-unsigned' }],
    ['signed, no key is believed', raw(), [], false, { verdict: 'refused', code: 'receipt-key-unknown' }],
    ['unsigned, no key is believed, and a person vouches', bare, [], true, { verdict: 'delivered' }],
    ['that is none', { ...bare, text: '{}' }, [], true, { verdict: 'refused', code: 'wrong-receipt' }],
  ])('%s', (_, receipt, believed, trustUnsigned, expected) => {
    expect(judgeCarried(entry, 'lab-07', receipt, believed, trustUnsigned, arithmetic)).toMatchObject(expected)
  })

  test.each([
    ['another episode', { ...entry, id: 'b' }, 'lab-07'],
    ['other bytes', { ...entry, sha256: 'b'.repeat(64) }, 'lab-07'],
    ['another host', entry, 'lab-08'],
  ])('for %s is refused, whoever signed it', (_, one, host) => {
    expect(judgeCarried(one, host, raw(), [pin], true, arithmetic)).toMatchObject({ verdict: 'refused', code: 'wrong-receipt' })
  })
})

test.each([
  ['signed by a known key', raw(), undefined, { verdict: 'valid', key: ours.id }],
  ['signed by a known key, with its bytes', raw(), sha256, { verdict: 'valid' }],
  ['signed by a known key, with other bytes', raw(), 'b'.repeat(64), { verdict: 'invalid', reason: 'other-bytes' }],
  ['not signed', { text, signature: undefined, key: undefined }, sha256, { verdict: 'unknown', reason: 'unsigned' }],
  [
    'signed by a key that is not known',
    { ...raw(stranger), key: stranger.id },
    undefined,
    { verdict: 'unknown', reason: 'no-key' },
  ],
  ['signed by somebody else', raw(stranger), undefined, { verdict: 'invalid', reason: 'forged' }],
  [
    'with a signature that is none',
    { text, signature: 'AAAA', key: undefined },
    undefined,
    { verdict: 'invalid', reason: 'forged' },
  ],
])('verify tells of a receipt %s', (_, receipt, actual, expected) => {
  expect(verifyReceipt(receipt, [pin], actual, arithmetic.verify)).toMatchObject(expected)
})

/** An outbox with one entry, and the receipt that a receiver would give for it. */
async function bed() {
  const bench = await shipBench({ url: 'http://127.0.0.1:1' })
  recordEpisode(bench.home, 'a')
  await scan(bench.context)
  const [one] = await bench.context.outbox.entries()
  if (!one) throw new Error('nothing was packed')
  const receipt = Receipt.parse({ ...one, host: 'lab-07', received_at: '2026-11-21T12:00:00.000Z' })
  const { id, host, bytes, received_at } = receipt
  return { ...bench, entry: one, text: encodeReceipt({ id, host, sha256: one.sha256, bytes, received_at }) }
}

test('settling is that of an upload: receipt and signature durable, entry and folder gone, keys believed, the spool empty', async () => {
  const { context, shipping, home, entry: one, text: receipt } = await bed()
  const keys = [
    { ...pin, id: next.id, public_key: next.publicKey, how: 'vouched' as const, vouched_by: told(next, true, ours).vouched_by },
  ]
  await putCarried(home.state, { id: one.id, text: receipt, signature: signed(receipt, next), keys })
  expect(await settleCarried(context, shipping.pins)).toEqual(['a'])
  expect(await context.outbox.entries()).toEqual([])
  expect(JSON.parse(readFileSync(join(home.state, 'receipts.jsonl'), 'utf8'))).toMatchObject({
    id: 'a',
    receipt_signature: signed(receipt, next),
  })
  expect(shipping.pins.inForce.map(({ id }) => id)).toEqual([next.id])
  expect(await listCarried(home.state)).toEqual([])
  expect(await settleCarried(context, shipping.pins)).toEqual([])
})

test('what is being sent at this moment waits, and what is packed anew meanwhile is not settled', async () => {
  const { context, shipping, home, entry: one, text: receipt } = await bed()
  await putCarried(home.state, { id: one.id, text: receipt, keys: [] })
  context.outbox.markInFlight(one.id)
  expect(await settleCarried(context, shipping.pins)).toEqual([])
  expect(await listCarried(home.state)).toHaveLength(1)
  context.outbox.releaseInFlight(one.id)
  await putCarried(home.state, { id: one.id, text: receipt.replace(one.sha256, 'b'.repeat(64)), keys: [] })
  expect(await settleCarried(context, shipping.pins)).toEqual([])
  expect([await context.outbox.entries(), await listCarried(home.state)]).toMatchObject([[{ id: 'a' }], []])
})

test('a carried receipt that this user cannot read was passed over in silence', async () => {
  const { context, shipping, home, log } = await bed()
  mkdirSync(join(home.state, 'carried', 'a.json'), { recursive: true })
  for (const _ of [1, 2]) expect(await settleCarried(context, shipping.pins)).toEqual([])
  expect(log.at('error')).toMatchObject([{ event: 'carried-unreadable', file: 'a.json' }])
})

test('import-receipts as root left files that the daemon cannot read', async () => {
  const { home } = await bed()
  const own = process.geteuid?.() ?? 0
  await expect(mustOwn(home.state, own)).resolves.toBeUndefined()
  await expect(mustOwn(home.state, own + 1)).rejects.toThrow(`belongs to user ${own}: run this as that user`)
  await expect(mustOwn(join(home.root, 'none'), own + 1)).resolves.toBeUndefined()
})

test('what lies on a stick in the place of a receipt was read whatever it was', async () => {
  const { home } = await bed()
  const fifo = join(home.root, 'fifo.json')
  execFileSync('mkfifo', [fifo])
  const big = join(home.root, 'big.json')
  writeFileSync(big, '')
  truncateSync(big, 2 ** 20 + 1)
  for (const path of [fifo, big, home.root]) expect(await readReceiptFile(path)).toBeUndefined()
})

test('the end of the agent waited for the hash of an archive', async () => {
  const { home } = await bed()
  const ended = AbortSignal.abort()
  await expect(hashFile(home.config, ended)).rejects.toThrow('aborted')
  await expect(new PrefixHash(home.config).upTo(10, ended)).rejects.toThrow('aborted')
})

test('beside a running agent the receipts are handed over, and it settles them', async () => {
  const { context, home, entry: one, text: receipt } = await bed()
  await context.outbox[Symbol.asyncDispose]()
  writeFileSync(home.config, `[host]\nname = "lab-07"\n${readFileSync(home.config, 'utf8')}[ship]\nrescan = "300ms"\n`)
  const stick = join(home.root, 'stick')
  mkdirSync(join(stick, 'receipts', 'lab-07'), { recursive: true })
  writeFileSync(join(stick, 'receipts', 'lab-07', 'a.json'), receipt)
  await using agent = new Program('agent', ['run', '--config', home.config])
  await agent.line({ event: 'up' })
  await using command = new Program('agent', ['import-receipts', stick, '--trust-unsigned', '--json', '--config', home.config])
  const run = await command.ended
  expect([run.code, JSON.parse(run.stdout)]).toMatchObject([0, { delivered: [], handed_over: [one.id] }])
  await agent.line({ event: 'delivered', id: one.id, by: 'stick' })
})
