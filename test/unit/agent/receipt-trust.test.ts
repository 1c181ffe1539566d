import { describe, expect, test } from 'vitest'
import { receiptOfRow, receiptRow } from '../../../packages/agent/src/core/receipt-row.ts'
import { judgeReceipt, newKeys, type PinnedKey, pinsInForce } from '../../../packages/agent/src/core/receipt-trust.ts'
import { arithmetic } from '../../../packages/agent/src/receipts/pins.ts'
import { makeReceiptKey, signed, type TestReceiptKey, told } from '../../support/receipt-keys.ts'

const text = '{"id":"ep-1","sha256":"…"}'
const [old, current, next, stranger] = [makeReceiptKey(), makeReceiptKey(), makeReceiptKey(), makeReceiptKey()]
const pin = ({ id, publicKey }: TestReceiptKey): PinnedKey => ({ id, public_key: publicKey, how: 'first-use', vouched_by: [] })
const judge = (sent: string | undefined, ...pinned: TestReceiptKey[]) => judgeReceipt(text, sent, pinned.map(pin), arithmetic)
const ids = (keys: readonly PinnedKey[]) => keys.map(({ id }) => id).toSorted()

describe('a receipt', () => {
  const other = signed(`${text} `, current)
  const rows: [string, string | undefined, TestReceiptKey[], object][] = [
    ['without signature from a receiver that never signed', undefined, [], { trust: 'unsigned-receiver' }],
    ['without signature although a key is pinned', undefined, [current], { trust: 'refused', code: 'receipt-unsigned' }],
    ['with an empty signature although a key is pinned', '', [current], { trust: 'refused', code: 'receipt-unsigned' }],
    ['with the signature of a pinned key', signed(text, current), [old, current], { trust: 'signed', key: current.id }],
    ['with the signature of a pinned key under other bytes', other, [current], { trust: 'refused', code: 'receipt-forged' }],
    ['with a first signature', signed(text, current), [], { trust: 'ask-keys', key: current.id }],
    ['with the signature of a key that is not pinned', signed(text, next), [current], { trust: 'ask-keys', key: next.id }],
    ['with something that is no signature', 'ed25519;nonsense', [], { trust: 'refused', code: 'receipt-forged' }],
    [
      'with another algorithm',
      signed(text, current).replace('ed25519', 'rsa'),
      [current],
      { trust: 'refused', code: 'receipt-forged' },
    ],
  ]
  test.each(rows)('%s', (_, sent, pinned, expected) => {
    expect(judge(sent, ...pinned)).toMatchObject(expected)
  })

  test('whose signature names a pinned key but was made by another', () => {
    const forged = signed(text, stranger).replace(stranger.id, current.id)
    expect(judge(forged, current)).toMatchObject({ trust: 'refused', code: 'receipt-forged' })
  })
})

describe('keys that a receiver tells', () => {
  test('are all believed on first use', () => {
    const offered = { keys: [told(current, true, old), told(old, false)] }
    expect(ids(newKeys(offered, [], arithmetic))).toEqual([current.id, old.id].toSorted())
  })

  test('are believed later only with the voucher of a pinned one', () => {
    const offered = { keys: [told(current, true, old), told(stranger, false)] }
    expect(newKeys(offered, [pin(old)], arithmetic)).toMatchObject([{ id: current.id, how: 'vouched' }])
  })

  test('are believed along a chain of vouchers', () => {
    const offered = { keys: [told(next, true, current), told(current, false, old)] }
    expect(ids(newKeys(offered, [pin(old)], arithmetic))).toEqual([current.id, next.id].toSorted())
  })

  test('do not vouch for themselves or for each other', () => {
    const offered = { keys: [told(next, true, next, stranger), told(stranger, false, next)] }
    expect(newKeys(offered, [pin(old)], arithmetic)).toEqual([])
  })

  test('under the name of another key are left out', () => {
    const offered = { keys: [{ ...told(stranger, true, old), id: current.id }] }
    expect(newKeys(offered, [pin(old)], arithmetic)).toEqual([])
    expect(newKeys(offered, [], arithmetic)).toEqual([])
  })

  test('with a voucher for another key are left out', () => {
    const [voucher] = told(current, true, old).vouched_by
    const offered = { keys: [{ ...told(stranger, true), vouched_by: voucher ? [voucher] : [] }] }
    expect(newKeys(offered, [pin(old)], arithmetic)).toEqual([])
  })
})

test('where a person gave the keys, what was believed on first use counts no more, what they vouch for does', () => {
  const configured: PinnedKey = { ...pin(old), how: 'configured' }
  const vouched: PinnedKey = { ...pin(current), how: 'vouched', vouched_by: told(current, true, old).vouched_by }
  expect(ids(pinsInForce([configured], [pin(stranger), vouched], arithmetic))).toEqual([old.id, current.id].toSorted())
  expect(ids(pinsInForce([], [pin(stranger), vouched], arithmetic))).toEqual([stranger.id, current.id].toSorted())
})

test.each([
  ['as ours writes it', '{"id":"a","bytes":1}'],
  ['with spaces and a number that JSON.stringify would write otherwise', '{ "id": "a", "bytes": 1.0, "z": 1e3 }'],
  ['with keys that an object would reorder', '{"b":1,"2":1,"1":1}'],
])('a row gives the receipt back byte for byte, %s', (_, receipt) => {
  const row = JSON.parse(JSON.stringify(receiptRow(receipt, 'ed25519;x;y'))) as Record<string, unknown>
  expect(receiptOfRow(row)).toEqual({ text: receipt, signature: 'ed25519;x;y' })
})
