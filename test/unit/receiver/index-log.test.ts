import { appendFileSync, writeFileSync } from 'node:fs'
import { firstPrev, Receipt } from '@cis490/shared/receipt.ts'
import { expect, test } from 'vitest'
import { IndexLog, lineHash } from '../../../packages/receiver/src/store/index-log.ts'
import { readIndex } from '../../../packages/receiver/src/store/index-reader.ts'
import { TestStore } from '../../support/store.ts'

const receipt = (id: string) =>
  Receipt.parse({ id, host: 'lab-07', sha256: 'a'.repeat(64), bytes: 1, received_at: '2026-11-21T02:00:00.000Z' })

test('rows that come at once get numbers without gaps, each with the hash of the line before it', async () => {
  const { layout } = new TestStore()
  await using index = await IndexLog.open(layout.index)
  await Promise.all(Array.from({ length: 50 }, (_, k) => index.append(receipt(`ep-${k}`))))
  let prev = firstPrev
  let count = 0
  for await (const { number, text, row } of readIndex(layout.index)) {
    expect(row).toMatchObject({ id: `ep-${number - 1}`, seq: number, prev })
    prev = lineHash(text)
    count = number
  }
  expect(count).toBe(50)
})

test('after k older rows the first new one has seq k+1 and the hash of line k', async () => {
  const store = new TestStore()
  const older = [1, 2, 3].map((n) => `{"episode_id":"old-${n}","sha256":"${'b'.repeat(64)}"}`)
  writeFileSync(store.layout.index, `${older.join('\n')}\n`)
  {
    await using index = await IndexLog.open(store.layout.index)
    await index.append(receipt('ep-1'))
  }
  await using again = await IndexLog.open(store.layout.index)
  await again.append(receipt('ep-2'))
  const lines = store.indexText().trimEnd().split('\n')
  expect(store.rows()[3]).toMatchObject({ seq: 4, prev: lineHash(older[2] as string) })
  expect(store.rows()[4]).toMatchObject({ seq: 5, prev: lineHash(lines[3] as string) })
})

test('a torn last row is cut, told, and its number given again', async () => {
  const store = new TestStore()
  await store.put('ep-1')
  appendFileSync(store.layout.index, '{"id":"ep-2","seq":2')
  const torn: string[] = []
  await using index = await IndexLog.open(store.layout.index, (bytes) => torn.push(bytes.toString()))
  await index.append(receipt('ep-3'))
  expect(torn).toEqual(['{"id":"ep-2","seq":2'])
  expect(store.rows().map((row) => row['seq'])).toEqual([1, 2])
})

test('a row after a damaged line has the hash of the bytes on disk, so that only the damage shows', async () => {
  const store = new TestStore()
  const damaged = Buffer.from([...Buffer.from('{"id":"old-1","note":"'), 0xff, ...Buffer.from('"}')])
  writeFileSync(store.layout.index, Buffer.concat([damaged, Buffer.from('\n')]))
  await using index = await IndexLog.open(store.layout.index)
  await index.append(receipt('ep-1'))
  const [, row] = await Array.fromAsync(readIndex(store.layout.index))
  expect(row?.row).toMatchObject({ seq: 2, prev: lineHash(damaged) })
})

test('an index that is not there has no lines', async () => {
  expect(await Array.fromAsync(readIndex('/nowhere/index.jsonl'))).toEqual([])
})
