import { endOfTurn } from '@cis490/shared/node/loop-turn.ts'
import { expect, test } from 'vitest'

test('whoever comes in one turn of the loop, in whichever callback, goes on at its end, after all of them', async () => {
  const order: string[] = []
  // Each of these is a callback of its own in the same turn.
  const asks = (name: string) =>
    new Promise<void>((resolve) =>
      setImmediate(() => {
        order.push(`${name} asks`)
        void endOfTurn().then(() => {
          order.push(`${name} goes on`)
          resolve()
        })
      }),
    )
  await Promise.all([asks('a'), asks('b')])
  expect(order).toEqual(['a asks', 'b asks', 'a goes on', 'b goes on'])
})

test('who comes after the end waits for the next one', async () => {
  const first = endOfTurn()
  expect(endOfTurn()).toBe(first)
  await first
  expect(endOfTurn()).not.toBe(first)
})
