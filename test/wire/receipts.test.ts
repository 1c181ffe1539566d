import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ed25519KeyId, ed25519Verify } from '@cis490/shared/node/ed25519.ts'
import { parseReceiptSignature, ReceiptKeys } from '@cis490/shared/receipt-signature.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { episode } from '../support/archives.ts'
import { makePki } from '../support/pki.ts'
import { makeReceiptKey, signed } from '../support/receipt-keys.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { ask, jsonOf, put, sha256, type WireAnswer } from '../support/wire.ts'

const [newer, older] = [makeReceiptKey(), makeReceiptKey()]
const header = 'x-cis490-receipt-signature'
let site: Site
let receiver: TestReceiver
let keyFile: string

beforeAll(async () => {
  site = await Site.make()
  keyFile = join(site.root, 'receipt.key')
  await writeFile(keyFile, newer.pem + older.pem, { mode: 0o600 })
  receiver = await site.start({ receipts: { key_file: keyFile } })
})
afterAll(() => site[Symbol.asyncDispose]())

function isSigned(answer: WireAnswer): boolean {
  const signature = parseReceiptSignature(answer.headers[header] ?? '')
  return signature?.key === newer.id && ed25519Verify(answer.body.toString(), newer.publicKey, signature.signature)
}

describe('the signature of a receipt', () => {
  test('comes with the first answer and with every replay, the same each time', async () => {
    const body = episode('signed-1', site.head)
    const [first, replay] = [
      await put(receiver, 'signed-1', body, { commit: site.head }),
      await put(receiver, 'signed-1', body, { commit: site.head }),
    ]
    expect([first.status, replay.status]).toEqual([201, 200])
    expect([isSigned(first), isSigned(replay)]).toEqual([true, true])
    expect(replay.headers[header]).toBe(first.headers[header])
    expect(first.headers[header]).toBe(signed(first.body.toString(), newer))
  })

  test('is missing where nothing is promised', async () => {
    const answer = await put(receiver, 'refused-1', episode('refused-1', site.tooOld), { commit: site.tooOld })
    expect([answer.status, answer.headers[header]]).toEqual([412, undefined])
  })

  test('comes with a finished resumable upload', async () => {
    const body = episode('signed-2', site.head)
    const declared = {
      'X-Content-SHA256': sha256(body),
      'X-Cis490-Code-Commit': site.head,
      'Upload-Draft-Interop-Version': 8,
    }
    const created = await ask(receiver, '/v1/episodes/signed-2.tar.zst', {
      method: 'PUT',
      headers: { ...declared, 'Upload-Complete': '?0', 'Upload-Length': body.length, 'Content-Length': 0 },
    })
    expect(created.status).toBe(201)
    expect(created.headers[header]).toBeUndefined()
    const target = new URL(created.headers['location'] ?? '', receiver.url).pathname
    const done = await ask(receiver, target, {
      method: 'PATCH',
      headers: {
        'Content-Type': 'application/partial-upload',
        'Upload-Offset': 0,
        'Upload-Complete': '?1',
        'Upload-Draft-Interop-Version': 8,
      },
      body,
    })
    expect([done.status, isSigned(done)]).toEqual([201, true])
  })
})

describe('GET /v1/receipt-keys', () => {
  test('gives the keys and what the older ones say of the newer, to hosts and to the operator', async () => {
    const told = await ask(receiver, '/v1/receipt-keys')
    const { keys } = ReceiptKeys.parse(jsonOf(told))
    expect(keys.map(({ id, current, vouched_by }) => [id, current, vouched_by.map((one) => one.id)])).toEqual([
      [newer.id, true, [older.id]],
      [older.id, false, []],
    ])
    expect(keys.every(({ id, public_key }) => ed25519KeyId(public_key) === id)).toBe(true)
    const ops = await fetch(`${receiver.opsUrl}/v1/receipt-keys`)
    expect(await ops.json()).toEqual(jsonOf(told))
  })

  test('is for those only who have a certificate', async () => {
    expect((await ask(receiver, '/v1/receipt-keys', { identity: null })).status).toBe(403)
  })

  test('takes no other method', async () => {
    const answer = await ask(receiver, '/v1/receipt-keys', { method: 'DELETE' })
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD'])
  })

  test('is empty where receipts are not signed, and the receipts have no signature', async () => {
    const plain = await site.start()
    expect(jsonOf(await ask(plain, '/v1/receipt-keys'))).toEqual({ keys: [] })
    const answer = await put(plain, 'plain-1', episode('plain-1', site.head), { commit: site.head })
    expect([answer.status, answer.headers[header]]).toEqual([201, undefined])
  })
})

test('a reload takes up a new key, and a replay of an older receipt is signed with it', async () => {
  const path = join(site.root, 'rotated.key')
  await writeFile(path, older.pem, { mode: 0o600 })
  const rotating = await site.start({ receipts: { key_file: path } })
  const body = episode('rotated-1', site.head)
  const before = await put(rotating, 'rotated-1', body, { commit: site.head })
  await writeFile(path, newer.pem + (await readFile(path, 'utf8')))
  rotating.running.reload()
  const after = await put(rotating, 'rotated-1', body, { commit: site.head })
  expect(after.body.toString()).toBe(before.body.toString())
  expect([isSigned(before), isSigned(after)]).toEqual([false, true])
  await writeFile(path, 'nonsense')
  expect(() => rotating.running.reload()).toThrow(/no private key/)
  expect(isSigned(await put(rotating, 'rotated-1', body, { commit: site.head }))).toBe(true)
})

test('a key file that is wrong does not keep a new client CA from being taken up by the same reload', async () => {
  const [key, ca] = [join(site.root, 'broken.key'), join(site.root, 'client-ca.pem')]
  await writeFile(key, older.pem, { mode: 0o600 })
  await copyFile(site.pki.caFile, ca)
  const reloaded = await site.start({ receipts: { key_file: key }, auth: { client_ca_file: ca } })
  const body = episode('reloaded-1', site.head)
  expect((await put(reloaded, 'reloaded-1', body, { commit: site.head })).status).toBe(201)
  await mkdir(join(site.root, 'other-pki'))
  await copyFile((await makePki(join(site.root, 'other-pki'))).caFile, ca)
  await writeFile(key, 'nonsense')
  expect(() => reloaded.running.reload()).toThrow(/no private key/)
  expect((await put(reloaded, 'reloaded-1', body, { commit: site.head })).status).toBe(403)
})
