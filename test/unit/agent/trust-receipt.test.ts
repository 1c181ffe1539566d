/** Passes of a real outbox against receivers that sign, sign wrongly, or have stopped to: what may be deleted, and what never. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import type { ReceiptKey } from '@cis490/shared/receipt-signature.ts'
import { describe, expect, test } from 'vitest'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import { receiptOfRow } from '../../../packages/agent/src/core/receipt-row.ts'
import { ReceiptPins } from '../../../packages/agent/src/receipts/pins.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { makeReceiptKey, signed, type TestReceiptKey, told } from '../../support/receipt-keys.ts'
import { answering, shipBench } from '../../support/ship-bench.ts'

const [first, second, stranger] = [makeReceiptKey(), makeReceiptKey(), makeReceiptKey()]

interface Behaviour {
  sign: (receipt: string) => string | undefined
  /** undefined: 500. */
  keys: readonly ReceiptKey[] | undefined
}

async function bench(behaviour: Behaviour, ids = ['a']) {
  const { url, requests } = await answering((request, response, body) => {
    if (request.url === '/v1/receipt-keys') return tellKeys(response, behaviour)
    const id = /episodes\/(.+)\.tar\.zst/.exec(request.url ?? '')?.[1]
    const sha256 = createHash('sha256').update(body).digest('hex')
    // Not as JSON.stringify would write it: the bytes count.
    const receipt = `{ "id": "${id}", "host": "lab-07", "sha256": "${sha256}", "bytes": ${body.length}, "received_at": "2026-11-21T12:00:00.000Z" }`
    const signature = behaviour.sign(receipt)
    return response.writeHead(201, signature === undefined ? {} : { 'x-cis490-receipt-signature': signature }).end(receipt)
  })
  const bed = await shipBench({ url })
  for (const id of ids) recordEpisode(bed.home, id)
  await scan(bed.context)
  return Object.assign(bed, { requests, pass: () => shipPass(bed.shipping, 'all', bed.signal) })
}

function tellKeys(response: ServerResponse, { keys }: Behaviour): unknown {
  return keys === undefined ? response.writeHead(500).end() : response.end(JSON.stringify({ keys }))
}

type Bed = Awaited<ReturnType<typeof bench>>

function honest(key: TestReceiptKey, ...vouchers: TestReceiptKey[]): Behaviour {
  return {
    sign: (receipt) => signed(receipt, key),
    keys: [told(key, true, ...vouchers), ...vouchers.map((one) => told(one, false))],
  }
}

function pinned(bed: Bed): { id: string; how: string }[] {
  const path = join(bed.home.state, 'receipt-keys.json')
  if (!existsSync(path)) return []
  return (JSON.parse(readFileSync(path, 'utf8')) as { keys: { id: string; how: string }[] }).keys.map(({ id, how }) => ({
    id,
    how,
  }))
}

/** The archive, the folder and the lane are as before, and a person hears of it. */
async function expectKept(bed: Bed, code: string): Promise<void> {
  expect(await bed.context.outbox.entries()).toMatchObject([{ id: 'a', lane: 'ready', last: { status: 201, code } }])
  expect([existsSync(join(bed.home.episodes, 'a')), bed.context.outbox.hasReceipt('a' as never)]).toEqual([true, false])
  expect(bed.log.at('error')).toContainEqual(expect.objectContaining({ event: 'alarm', id: 'a', code }))
}

async function expectDelivered(bed: Bed): Promise<void> {
  expect(await bed.context.outbox.entries()).toEqual([])
  expect(existsSync(join(bed.home.episodes, 'a'))).toBe(false)
}

describe('on first use', () => {
  test('the key is pinned, told of, and the receipt is kept with its signature and its very bytes', async () => {
    const bed = await bench(honest(first))
    await bed.pass()
    await expectDelivered(bed)
    expect(pinned(bed)).toEqual([{ id: first.id, how: 'first-use' }])
    expect(bed.log.at('warn')).toContainEqual(expect.objectContaining({ event: 'receipt-key-pinned', key: first.id }))
    const row = JSON.parse(readFileSync(join(bed.home.state, 'receipts.jsonl'), 'utf8')) as Record<string, unknown>
    const { text, signature } = receiptOfRow(row)
    expect(signature).toBe(signed(text, first))
  })

  test('nothing is deleted while the keys cannot be asked for', async () => {
    const behaviour: Behaviour = { ...honest(first), keys: undefined }
    const bed = await bench(behaviour)
    await bed.pass()
    await expectKept(bed, 'receipt-key-unknown')
    expect(pinned(bed)).toEqual([])
    Object.assign(behaviour, honest(first))
    await bed.pass()
    await expectDelivered(bed)
  })

  test('a receipt that does not hold pins nothing', async () => {
    const bed = await bench({ ...honest(first), sign: (receipt) => signed(`${receipt} `, first) })
    await bed.pass()
    await expectKept(bed, 'receipt-forged')
    expect(pinned(bed)).toEqual([])
  })

  test('several transfers at once pin the key once', async () => {
    const bed = await bench(honest(first), ['a', 'b', 'c', 'd'])
    Object.assign(bed.shipping, { concurrency: 4 })
    expect(await bed.pass()).toMatchObject({ delivered: 4 })
    expect(pinned(bed)).toEqual([{ id: first.id, how: 'first-use' }])
  })
})

test('with a receiver that never signed, everything goes as it always did', async () => {
  const bed = await bench({ sign: () => undefined, keys: [] })
  await bed.pass()
  await expectDelivered(bed)
  expect([pinned(bed), bed.requests.filter((one) => one.includes('receipt-keys'))]).toEqual([[], []])
})

describe('once a key is pinned', () => {
  /** Told of `first` by an earlier delivery. */
  async function acquainted(behaviour: Behaviour): Promise<Bed> {
    const bed = await bench(behaviour)
    await bed.shipping.pins.add([{ id: first.id, public_key: first.publicKey, how: 'first-use', vouched_by: [] }], 'now')
    return bed
  }

  test.each([
    ['without signature', 'receipt-unsigned', { ...honest(first), sign: () => undefined }],
    ['of a key that nobody vouches for', 'receipt-key-unknown', honest(stranger)],
    ['of a key that vouches for itself', 'receipt-key-unknown', { ...honest(stranger), keys: [told(stranger, true, stranger)] }],
    ['of a key that the receiver does not tell', 'receipt-key-unknown', { ...honest(stranger), keys: [] }],
    [
      'of another key under the pinned name',
      'receipt-forged',
      { ...honest(first), sign: (text: string) => signed(text, stranger).replace(stranger.id, first.id) },
    ],
    [
      'for other bytes',
      'receipt-forged',
      { ...honest(first), sign: (text: string) => signed(text.replace('lab-07', 'lab-08'), first) },
    ],
  ])('a receipt %s deletes nothing; an honest one delivers', async (_, code, behaviour: Behaviour) => {
    const bed = await acquainted(behaviour)
    expect(await bed.pass()).toMatchObject({ delivered: 0 })
    await expectKept(bed, code)
    expect(pinned(bed)).toHaveLength(1)
    Object.assign(behaviour, honest(first))
    await bed.pass()
    await expectDelivered(bed)
  })

  test('a newer key for which it vouches is taken up, and is known after a restart', async () => {
    const bed = await acquainted(honest(second, first))
    await bed.pass()
    await expectDelivered(bed)
    expect(pinned(bed)[1]).toEqual({ id: second.id, how: 'vouched' })
    expect(new ReceiptPins(bed.home.state, '').inForce.map(({ id }) => id)).toEqual([first.id, second.id])
  })
})

test('pins that cannot be read are a mistake to be mended, not a first use', async () => {
  const bed = await bench(honest(first))
  writeFileSync(join(bed.home.state, 'receipt-keys.json'), '{"keys": [')
  expect(() => new ReceiptPins(bed.home.state, '')).toThrow(ConfigError)
  expect(() => bed.shipping.pins.reload()).toThrow(/is damaged/)
})
