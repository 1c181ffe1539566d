import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { GrantLimit } from '../../../packages/receiver/src/core/grant-limit.ts'
import { runToEnd } from '../../support/program.ts'
import { scratchDir } from '../../support/scratch.ts'

const minute = 60_000

test.each([
  ['of a month, until a day has gone', 30 * 1440 * minute, 1440 * minute],
  ['of six minutes, until ten lifetimes have gone', 6 * minute, 60 * minute],
])('a host that renewed without end filled the memory of the receiver: with lifetimes %s', (_, lifetime, windowMs) => {
  const limit = new GrantLimit(lifetime)
  for (let k = 0; k < 100; k += 1) {
    const at = Math.floor(k / 10) * minute
    expect(limit.wait('renewal', 'lab-07', at)).toBe(0)
    limit.note('renewal', 'lab-07', at)
  }
  expect([limit.wait('renewal', 'lab-07', 10 * minute), limit.wait('renewal', 'lab-08', 10 * minute)]).toEqual([
    windowMs - 10 * minute,
    0,
  ])
  // A thief of its key, say: the host itself may join anew.
  expect(limit.wait('token', 'lab-07', 10 * minute)).toBe(0)
  expect([limit.wait('renewal', 'lab-07', windowMs - 1), limit.wait('renewal', 'lab-07', windowMs)]).toEqual([1, 0])
})

test('ten come in a minute, the eleventh waits for its end, however short the lifetime', () => {
  const limit = new GrantLimit(1000)
  for (let k = 0; k < 10; k += 1) limit.note('renewal', 'lab-07', k)
  const waits = (at: number) => [limit.wait('token', 'lab-07', at), limit.wait('renewal', 'lab-07', at)]
  expect([...waits(10), ...waits(minute)]).toEqual([minute - 10, minute - 10, 0, 0])
})

test('a token whose end no calendar has was printed, and never held', async () => {
  const config = join(scratchDir(), 'receiver.toml')
  writeFileSync(config, '')
  const args = ['token', 'create', '--host', 'lab-07', '--expires', '3000000d', '--config', config]
  const { code, stdout, stderr } = await runToEnd('receiver', args)
  expect([code, stdout, stderr]).toEqual([2, '', 'cis490-receiver: --expires 3000000d: at most 3650d, for no CA lives longer\n'])
})
