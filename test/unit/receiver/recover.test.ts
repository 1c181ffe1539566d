import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { IndexLog } from '../../../packages/receiver/src/store/index-log.ts'
import { recover } from '../../../packages/receiver/src/store/recover.ts'
import { TestStore } from '../../support/store.ts'

async function start(store: TestStore) {
  await using index = await IndexLog.open(store.layout.index)
  return await recover(store.layout, index)
}
const nothing = { incoming_removed: 0, sidecars_removed: 0, rows_added: 0, without_sidecar: 0 }

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
