/** Who starts beside a command that only looks. */
import { expect, test } from 'vitest'
import { lockStore, lockStoreSoon } from '../../../packages/receiver/src/store/store-lock.ts'
import { TestStore } from '../../support/store.ts'

test('a receiver that starts while fsck asks who works here waits for that instant', async () => {
  const { layout } = new TestStore()
  const fsck = lockStore(layout)
  let waits = 0
  using lock = await lockStoreSoon(layout, async () => {
    waits += 1
    if (waits === 2) fsck?.[Symbol.dispose]()
  })
  expect([lock?.path, waits]).toEqual([layout.lock, 2])
})

test('a store in which another receiver works is not waited for longer than a second', async () => {
  const { layout } = new TestStore()
  using _receiver = lockStore(layout)
  let waited = 0
  const wait = async (ms: number) => {
    waited += ms
  }
  expect(await lockStoreSoon(layout, wait)).toBeUndefined()
  expect(waited).toBe(1000)
})
