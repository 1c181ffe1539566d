import { expect, test } from 'vitest'
import { Turn } from '../../../packages/agent/src/episodes/turn.ts'

test('calls that take long let the loop have its turn, and quick ones do not wait for it', async () => {
  const turn = new Turn()
  const begun = performance.now()
  const first = turn.pass()
  if (performance.now() - begun < 4) expect(first).toBeUndefined()
  while (performance.now() - begun < 6) Math.sqrt(begun)
  let others = 0
  setImmediate(() => (others += 1))
  const pause = turn.pass()
  expect(pause).toBeInstanceOf(Promise)
  await pause
  expect(others).toBe(1)
})
