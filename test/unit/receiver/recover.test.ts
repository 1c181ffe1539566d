import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Receipt } from '@cis490/shared/receipt.ts'
import { describe, expect, test } from 'vitest'
import { recoverStore } from '../../../packages/receiver/src/open-store.ts'
import { planReading } from '../../../packages/receiver/src/store/confirm-rowless.ts'
import { Episodes } from '../../../packages/receiver/src/store/episodes.ts'
import { hashReadable } from '../../../packages/receiver/src/store/hash-file.ts'
import { IndexLog } from '../../../packages/receiver/src/store/index-log.ts'
import { readLosses } from '../../../packages/receiver/src/store/losses.ts'
import { recover } from '../../../packages/receiver/src/store/recover.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { TestStore } from '../../support/store.ts'

async function start(store: TestStore) {
  await using index = await IndexLog.open(store.layout.index)
  return await recover(store.layout, index)
}
const nothing = {
  incoming_removed: 0,
  sidecars_removed: 0,
  rows_added: 0,
  without_sidecar: 0,
  prunes_finished: 0,
  damaged: 0,
  torn_bytes: 0,
  rows_without_archive: 0,
}

test('a store that nobody has used yet gets its folders', async () => {
  const store = new TestStore()
  expect(await start(store)).toEqual(nothing)
  expect(readdirSync(store.layout.root).sort()).toEqual(['episodes', 'incoming', 'index.jsonl'])
})

test('bodies that never became episodes go, and what is published without its row gets it, once', async () => {
  const store = new TestStore()
  await store.put('ep-1')
  for (const id of ['ep-2', 'ep-3']) await store.put(id, false)
  expect(await start(store)).toEqual({ ...nothing, incoming_removed: 4, rows_added: 2 })
  expect(store.rows().map(({ id, seq }) => [id, seq])).toEqual([
    ['ep-1', 1],
    ['ep-2', 2],
    ['ep-3', 3],
  ])
  expect(await start(store)).toEqual(nothing)
  expect(store.rows()).toHaveLength(3)
})

test('a receipt whose archive never got its name goes', async () => {
  const store = new TestStore()
  await store.put('ep-1', false)
  unlinkSync(store.layout.archive(store.key('ep-1')))
  expect(await start(store)).toMatchObject({ sidecars_removed: 1, rows_added: 0 })
  expect(existsSync(store.layout.sidecar(store.key('ep-1')))).toBe(false)
})

test('the receipt of an episode that a row promised stays when its archive is lost', async () => {
  const store = new TestStore()
  await store.put('ep-1')
  unlinkSync(store.layout.archive(store.key('ep-1')))
  expect(await start(store)).toMatchObject({ sidecars_removed: 0 })
  expect(existsSync(store.layout.sidecar(store.key('ep-1')))).toBe(true)
})

test('an archive without a row is read before it gets one: other bytes go to quarantine, and the id is free again', async () => {
  const store = new TestStore()
  await store.put('ep-1', false)
  await store.put('ep-2', false)
  const archive = store.layout.archive(store.key('ep-2'))
  const bytes = readFileSync(archive)
  bytes[30] = (bytes[30] as number) ^ 1
  unlinkSync(archive)
  writeFileSync(archive, bytes)
  expect(await start(store)).toMatchObject({ rows_added: 1, damaged: 1 })
  expect(store.rows().map(({ id }) => id)).toEqual(['ep-1'])
  const [loss] = await readLosses(store.layout)
  expect(loss).toMatchObject({ host: 'lab-07', id: 'ep-2', reason: 'wrong-hash', by: 'cis490-receiver' })
  expect(readFileSync(join(store.layout.root, loss?.kept[0] as string))).toEqual(bytes)
  expect(await new Episodes(store.layout).find(store.key('ep-2'))).toBeUndefined()
  expect(await start(store)).toEqual(nothing)
})

test('rows whose archive is gone are counted at every start', async () => {
  const store = new TestStore()
  for (const id of ['ep-1', 'ep-2']) await store.put(id)
  unlinkSync(store.layout.archive(store.key('ep-2')))
  for (let k = 0; k < 2; k += 1) expect(await start(store)).toEqual({ ...nothing, rows_without_archive: 1 })
})

test('the row that recovery gives has the fields of the receipt in the order of the receipt', async () => {
  const store = new TestStore()
  const receipt = await store.put('ep-1', false)
  const { host, id, ...rest } = receipt
  writeFileSync(store.layout.sidecar(store.key('ep-1')), JSON.stringify({ ...rest, note: 'later', id, host }))
  await start(store)
  expect(store.indexText()).toMatch(/^\{"sha256":.*"note":"later","id":"ep-1","host":"lab-07","seq":1,/)
})

test('a receipt that belongs to another episode gives no row, however often the receiver starts', async () => {
  const store = new TestStore()
  await store.put('ep-1', false)
  const path = store.layout.sidecar(store.key('ep-1'))
  writeFileSync(path, readFileSync(path, 'utf8').replace('"lab-07"', '"lab-08"'))
  for (let k = 0; k < 2; k += 1) expect(await start(store)).toMatchObject({ rows_added: 0, without_sidecar: 1 })
  expect(store.indexText()).toBe('')
})

test('an archive without a receipt is counted and left alone', async () => {
  const store = new TestStore()
  await store.put('ep-1', false)
  unlinkSync(store.layout.sidecar(store.key('ep-1')))
  writeFileSync(join(store.layout.shelf(store.key('ep-1')), 'stranger'), '')
  expect(await start(store)).toMatchObject({ rows_added: 0, without_sidecar: 1 })
  expect(readdirSync(store.layout.shelf(store.key('ep-1'))).sort()).toEqual(['ep-1.tar.zst', 'stranger'])
})

describe('archives without a row', () => {
  const receipt = (bytes: number) => ({ ...base, bytes })
  const base = Receipt.parse({
    ...{ id: 'ep-1', host: 'lab-07', sha256: 'a'.repeat(64), bytes: 1, received_at: '2026-01-01T00:00:00.000Z' },
  })
  test.each([
    ['a handful', [1, 2], true],
    ['64 GiB', [64 * 2 ** 30], true],
    ['a byte more', [64 * 2 ** 30, 1], false],
    ['256', Array.from({ length: 256 }, () => 1), true],
    ['257', Array.from({ length: 257 }, () => 1), false],
  ])('are read at start if they are no more than %s: a start must not take hours', (_, sizes, whole) => {
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    expect(planReading(sizes.map(receipt))).toEqual({ archives: sizes.length, bytes, whole })
  })

  test('are announced before they are read', async () => {
    const store = new TestStore()
    const { bytes } = await store.put('ep-1', false)
    const log = capturedLog()
    await using index = await IndexLog.open(store.layout.index)
    await recoverStore(store.layout, index, log.log)
    expect(log.lines[0]).toMatchObject({ event: 'reading', archives: 1, bytes })
  })

  test('that the disk does not give back are damaged, and no reason not to start', async () => {
    // The only file of every Linux that answers a read with EIO.
    expect(await hashReadable('/proc/self/mem')).toBeUndefined()
    await expect(hashReadable('/nowhere')).rejects.toThrow(/ENOENT/)
  })
})
