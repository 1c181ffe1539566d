/** A clock that jumps by a day in either direction strands nothing. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import { Teller } from '../../../packages/agent/src/commands/tell.ts'
import { isAhead } from '../../../packages/agent/src/core/backoff.ts'
import { remember, whyAsk } from '../../../packages/agent/src/core/gate-lane.ts'
import { nextTurn } from '../../../packages/agent/src/core/pass-plan.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { accept, answering, type Handler, refuse, shipBench } from '../../support/ship-bench.ts'

const day = 24 * 3_600_000
const jumps = [
  ['forward', day],
  ['back', -day],
] as const

async function bed(handle: Handler) {
  const { url, requests } = await answering(handle)
  const bench = Object.assign(await shipBench({ url }), { requests })
  recordEpisode(bench.home, 'ep-1')
  await scan(bench.context)
  return bench
}

test.each(jumps)('an entry that waits for its time goes after a jump %s', async (_, jump) => {
  let busy = true
  const it = await bed((request, response, body) =>
    busy ? refuse(response, 'internal', 'oops') : accept(request, response, body),
  )
  await shipPass(it.shipping, 'due', it.signal)
  busy = false
  expect(await shipPass(it.shipping, 'due', it.signal)).toMatchObject({ attempted: 0 })
  it.clock += jump
  expect(await shipPass(it.shipping, 'due', it.signal)).toMatchObject({ delivered: 1 })
})

test.each(jumps)('a receiver that is held is tried after a jump %s', async (_, jump) => {
  let open = false
  const it = await bed((request, response, body) =>
    open ? accept(request, response, body) : refuse(response, 'unauthorized', 'no token'),
  )
  await shipPass(it.shipping, 'due', it.signal)
  open = true
  expect(await shipPass(it.shipping, 'due', it.signal)).toMatchObject({ attempted: 0 })
  it.clock += jump
  const entries = await it.context.outbox.entries()
  expect(nextTurn(entries, it.shipping.memory.hold, it.clock, it.clock + 30_000)).toBe(it.clock)
  expect(await shipPass(it.shipping, 'due', it.signal)).toMatchObject({ delivered: 1 })
  expect(it.requests).toHaveLength(2)
})

test('a receiver that wants an hour of peace gets it', async () => {
  const it = await bed((_, response) => {
    response.setHeader('retry-after', '3600')
    refuse(response, 'internal', 'oops')
  })
  await shipPass(it.shipping, 'due', it.signal)
  it.clock += 3_599_000
  expect(await shipPass(it.shipping, 'due', it.signal)).toMatchObject({ attempted: 0 })
  it.clock += 1000
  expect(await shipPass(it.shipping, 'due', it.signal)).toMatchObject({ attempted: 1 })
})

test.each(jumps)('the gated lane is asked about after a jump %s', (_, jump) => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  const memory = remember('head', now, 0.5)
  expect([whyAsk(memory, 'head', now + 1000), whyAsk(memory, 'head', now + jump)]).toEqual([undefined, 'hourly'])
})

test('what a person must know is told again after the clock went back', () => {
  const log = capturedLog()
  let clock = Date.parse('2026-11-21T12:00:00Z')
  const teller = new Teller(log.log, { write: () => true } as unknown as NodeJS.WriteStream, () => clock)
  const advice = { code: 'unauthorized', detail: 'no token' }
  expect([teller.tell(advice), teller.tell(advice)]).toEqual([true, false])
  clock -= day
  expect(teller.tell(advice)).toBe(true)
})

test('times are clamped at what any wait of ours can be', () => {
  const now = 1_000_000_000_000
  const quarter = 15 * 60_000
  expect([
    isAhead(now, now),
    isAhead(now + 1, now),
    isAhead(now + 5 * quarter, now),
    isAhead(now + 5 * quarter + 1, now),
  ]).toEqual([false, true, true, false])
})

test("a receiver's words reach the log without control characters", async () => {
  const it = await bed((_, response) => refuse(response, 'store-full', 'full\u001b[2Jforged\nline'))
  await shipPass(it.shipping, 'all', it.signal)
  const [alarm] = it.log.at('error')
  expect(alarm).toMatchObject({ event: 'alarm', detail: 'The store has no room: full[2Jforgedline' })
  expect(readFileSync(`${it.home.outbox}/ep-1.json`, 'utf8')).toContain('"store-full"')
})
