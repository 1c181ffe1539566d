import { HostName } from '@cis490/shared/ids.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bodiesVerdict, placeWaitS } from '../../../packages/receiver/src/core/load.ts'
import { type Places, placeVerdict } from '../../../packages/receiver/src/core/places.ts'
import { jittered } from '../../../packages/receiver/src/core/retry-after.ts'
import { AskingHosts } from '../../../packages/receiver/src/http/asking-hosts.ts'
import { BodyTimes } from '../../../packages/receiver/src/http/body-times.ts'

const alone: Places = { limit: 6, taken: 0, mine: 0, hosts: 1, waiting: 0 }

test.each([
  ['a host alone takes the last place', { taken: 5, mine: 5 }, 'free'],
  ['a host alone finds no seventh', { taken: 6, mine: 6 }, 'full'],
  ['a greedy host goes on while nobody waits', { taken: 5, mine: 5, hosts: 3 }, 'free'],
  ['a greedy host gives back to the one that waits', { taken: 5, mine: 5, hosts: 3, waiting: 1 }, 'over-share'],
  ['there is a place for the one that waits and one more', { taken: 4, mine: 4, hosts: 3, waiting: 1 }, 'free'],
  ['a host below its share takes the place that another waits for too', { taken: 5, mine: 1, hosts: 3, waiting: 2 }, 'free'],
  ['a host without a place finds none', { taken: 6, mine: 0, hosts: 3, waiting: 1 }, 'full'],
  ['more hosts than places: one each', { taken: 5, mine: 1, hosts: 20, waiting: 9 }, 'over-share'],
])('%s', (_, places, verdict) => {
  expect(placeVerdict({ ...alone, ...places })).toBe(verdict)
})

test('no host ever gets a place beyond the limit', () => {
  const count = fc.nat(40)
  fc.assert(
    fc.property(
      fc.record({ limit: fc.integer({ min: 1, max: 40 }), taken: count, mine: count, hosts: count, waiting: count }),
      (places) => {
        if (placeVerdict(places) === 'free') expect(places.taken).toBeLessThan(places.limit)
      },
    ),
  )
})

/** The receiver's places and the hosts that ask for them, second by second. */
function simulate(greedy: number, others: number, limit: number, random: () => number): number[] {
  const asking = new AskingHosts()
  const hosts = Array.from({ length: others + 1 }, (_, k) => HostName.parse(`lab-${k}`))
  const running: { host: number; until: number }[] = []
  const served = hosts.map(() => 0)
  const asksAgain = hosts.map(() => 0)
  for (let now = 0; now < 600; now += 1) {
    for (let k = running.length - 1; k >= 0; k -= 1) if ((running[k]?.until ?? 0) <= now) running.splice(k, 1)
    // The greedy one asks first in every second, as often as it likes, and does not heed what it is told.
    const order = [...Array.from({ length: greedy }, () => 0), ...hosts.keys().drop(1)]
    for (const host of order) {
      const mine = running.filter((one) => one.host === host).length
      if (host > 0 && (mine > 0 || (asksAgain[host] ?? 0) > now)) continue
      const name = hosts[host] as HostName
      const load = { bodies: running.length, eachMs: 10_000, uploadsOfHost: mine, ...asking.ask(name, now * 1000) }
      const refused = bodiesVerdict(load, { bodies: limit, uploads_per_host: 1000 })
      if (refused) {
        asking.turnAway(name, now * 1000)
        asksAgain[host] = now + jittered(refused.members?.retry_after_s ?? 0, random())
        continue
      }
      asking.letIn(name)
      served[host] = (served[host] ?? 0) + 1
      running.push({ host, until: now + 5 + Math.floor(random() * 10) })
    }
  }
  return served
}

/** Numbers from 0 to 1 (Lehmer). */
function randomFrom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

test('a greedy host of three cannot starve the other two', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const [greedy = 0, ...others] = simulate(20, 2, 4, randomFrom(seed))
      // Each wants one place at a time, of which it could fill about forty in this time if it were alone.
      for (const served of others) expect(served).toBeGreaterThanOrEqual(15)
      expect(greedy).toBeGreaterThan(20)
    }),
    { numRuns: 50 },
  )
})

test('who was turned away is waiting until it has had a place, or has not come back', () => {
  const asking = new AskingHosts()
  const [a, b] = [HostName.parse('a'), HostName.parse('b')]
  expect(asking.ask(a, 0)).toEqual({ hosts: 1, waiting: 0 })
  asking.turnAway(b, 1000)
  expect(asking.ask(a, 2000)).toEqual({ hosts: 2, waiting: 1 })
  expect(asking.ask(b, 2000)).toEqual({ hosts: 2, waiting: 0 })
  asking.letIn(b)
  expect(asking.ask(a, 3000)).toEqual({ hosts: 2, waiting: 0 })
  asking.turnAway(b, 4000)
  expect(asking.ask(a, 94_001)).toEqual({ hosts: 1, waiting: 0 })
})

test.each([
  [10, 0, 5],
  [10, 0.999, 10],
  [5, 0, 3],
  [1, 0, 1],
  [3600, 0.5, 2700],
])('of at most %i s with random %d it is %i s', (seconds, random, told) => {
  expect(jittered(seconds, random)).toBe(told)
})

test('asking counts as if every host were looked at each time', () => {
  const name = fc.integer({ min: 0, max: 5 }).map((k) => HostName.parse(`lab-${k}`))
  const step = fc.record({
    do: fc.constantFrom('ask', 'turnAway', 'letIn'),
    host: name,
    after: fc.integer({ min: 0, max: 50_000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const asking = new AskingHosts()
      const naive = new Map<string, { at: number; waiting: boolean }>()
      let now = 0
      for (const { do: act, host, after } of steps) {
        now += after
        if (act === 'turnAway') naive.set(host, { at: now, waiting: true })
        const known = naive.get(host)
        if (act === 'letIn' && known) known.waiting = false
        if (act !== 'ask') {
          asking[act as 'turnAway'](host, now)
          continue
        }
        for (const [other, { at }] of naive) if (now - at > 90_000) naive.delete(other)
        naive.set(host, { at: now, waiting: naive.get(host)?.waiting ?? false })
        const waiting = [...naive].filter(([other, one]) => one.waiting && other !== host).length
        expect(asking.ask(host, now)).toEqual({ hosts: naive.size, waiting })
      }
    }),
  )
})

test.each([
  ['bodies are quick and few wait', { waiting: 10, eachMs: 20 }, 1],
  ['ten thousand wait', { waiting: 9999, eachMs: 20 }, 13],
  ['bodies are long', { waiting: 3, eachMs: 30_000 }, 8],
  ['all that is too much', { waiting: 9999, eachMs: 30_000 }, 60],
])('when %s, a place is to be asked for again in time', (_, load, seconds) => {
  expect(placeWaitS(load, 16)).toBe(seconds)
})

test('a place is taken for as long as bodies took lately, or as those that run have run', () => {
  let clock = 0
  const times = new BodyTimes(() => clock)
  const first = times.begin()
  clock = 100
  expect(times.each).toBe(100)
  times.end(first)
  expect(times.each).toBe(100)
  const [quick, slow] = [times.begin(), times.begin()]
  clock = 110
  times.end(quick)
  expect(times.each).toBeCloseTo(91)
  clock = 1100
  expect(times.each).toBe(1000)
  times.end(slow)
  expect(times.each).toBeCloseTo(181.9)
})
