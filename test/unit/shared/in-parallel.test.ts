import { inParallel } from '@cis490/shared/in-parallel.ts'
import { endOfTurn } from '@cis490/shared/node/loop-turn.ts'
import { expect, test } from 'vitest'

async function* later(items: readonly number[]): AsyncGenerator<number> {
  for (const item of items) yield item
}

test.each([
  ['a list', [1, 2, 3, 4, 5]],
  ['a set', new Set([1, 2, 3, 4, 5]).values()],
  ['a generator', later([1, 2, 3, 4, 5])],
])('%s: each once, in order, never more at a time than allowed', async (_, items) => {
  const begun: number[] = []
  let running = 0
  let most = 0
  await inParallel(items, 2, async (item) => {
    begun.push(item)
    running += 1
    most = Math.max(most, running)
    await endOfTurn()
    running -= 1
  })
  expect(begun).toEqual([1, 2, 3, 4, 5])
  expect(most).toBe(2)
})

test.each([
  ['a set', new Set([1, 2, 3, 4, 5]).values()],
  ['a generator', later([1, 2, 3, 4, 5])],
])('%s: after a failure nothing new is begun, and what runs ends first', async (_, items) => {
  const begun: number[] = []
  const ended: number[] = []
  const other = Promise.withResolvers<void>()
  const all = inParallel(items, 2, async (item) => {
    begun.push(item)
    await endOfTurn()
    if (item === 1) throw new Error('the first')
    await other.promise
    ended.push(item)
  })
  const early = await Promise.race([
    all.catch(() => 'ended'),
    endOfTurn()
      .then(endOfTurn)
      .then(() => 'runs'),
  ])
  other.resolve()
  await expect(all).rejects.toThrow('the first')
  expect([early, begun, ended]).toEqual(['runs', [1, 2], [2]])
})
