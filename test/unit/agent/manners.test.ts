import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Circumstances, judgeManners, judgePacking } from '../../../packages/agent/src/core/manners.ts'
import { calm, judgePressure, longestWaitMs, nextPressure, someAvg10 } from '../../../packages/agent/src/core/pressure.ts'
import { priorityOf, score } from '../../../packages/agent/src/core/priority.ts'
import { bodiesAtRate, fullBucket, pieceAt, takeTokens } from '../../../packages/agent/src/core/token-bucket.ts'
import { Manners, type MannersOptions } from '../../../packages/agent/src/ship/manners.ts'

const hour = 3_600_000

describe('token bucket', () => {
  test('whatever is asked for and when, no second gets more than its rate and one burst', () => {
    const asks = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 70_000 }), idle: fc.integer({ min: 0, max: 5000 }) }))
    fc.assert(
      fc.property(asks, fc.integer({ min: 4096, max: 10_000_000 }), (all, rate) => {
        let bucket = fullBucket(rate, 0)
        let now = 0
        let last = 0
        let sent = 0
        for (const { bytes, idle } of all) {
          now += idle
          const taken = takeTokens(bucket, bytes, rate, now)
          bucket = taken.bucket
          sent += bytes
          last = Math.max(last, now + taken.waitMs)
        }
        expect(sent).toBeLessThanOrEqual((last / 1000) * rate + rate / 4 + 1)
      }),
    )
  })

  test('a clock that goes back gives nothing away', () => {
    const { bucket } = takeTokens(fullBucket(1000, 5000), 1250, 1000, 5000)
    expect(takeTokens(bucket, 0, 1000, 1000).waitMs).toBe(1000)
  })

  test('pieces are small, and few bodies share a slow line', () => {
    expect([pieceAt(0, 65_536), pieceAt(4096, 65_536), pieceAt(1e9, 65_536)]).toEqual([65_536, 1024, 65_536])
    expect([bodiesAtRate(0, 8), bodiesAtRate(4096, 8), bodiesAtRate(8192, 8), bodiesAtRate(1e6, 8)]).toEqual([8, 2, 4, 8])
  })
})

describe('pressure', () => {
  const limits = { io: 60, cpu: 0, memory: 20 }
  const none = { io: 0, cpu: 0, memory: 0 }

  test('it begins over the limit, ends at three quarters, and names the worst', () => {
    const high = nextPressure(calm, { ...none, io: 61, memory: 40 }, limits, 1000)
    expect(high).toEqual({ since: 1000, resource: 'memory' })
    expect(nextPressure(high, { ...none, io: 46 }, limits, 2000)).toEqual({ since: 1000, resource: 'io' })
    expect(nextPressure(high, { ...none, io: 45 }, limits, 2000)).toEqual(calm)
    expect(nextPressure(calm, { ...none, io: 46 }, limits, 2000)).toEqual(calm)
  })

  test('a limit of 0 is not looked at, and a kernel that does not tell is calm', () => {
    expect(nextPressure(calm, { ...none, cpu: 100 }, limits, 0)).toEqual(calm)
    expect(nextPressure({ since: 0, resource: 'io' }, undefined, limits, 0)).toEqual(calm)
  })

  test('after ten minutes it goes on slowly', () => {
    expect(judgePressure({ since: 0 }, longestWaitMs - 1)).toBe('wait')
    expect(judgePressure({ since: 0 }, longestWaitMs)).toBe('slow')
    expect(judgePressure(calm, 0)).toBe('calm')
  })

  test('the kernel line is read', () => {
    expect(someAvg10('some avg10=12.34 avg60=0.72 avg300=0.29 total=56445126\nfull avg10=0.04\n')).toBe(12.34)
    expect(someAvg10('nonsense')).toBeUndefined()
  })
})

describe('manners', () => {
  const free: Circumstances = { pause: undefined, insideWindow: true, pressure: calm, steady: 0, recording: true, now: 1000 }

  test('a pause comes first and ends at its time', () => {
    const pause = { until: 2000, by: 'ada' }
    expect(judgeManners({ ...free, pause })).toMatchObject({ go: 'wait', reason: 'paused' })
    expect(judgeManners({ ...free, pause, now: 2000 })).toEqual({ go: 'on', slowly: false })
    expect(judgePacking({ ...free, pause: {} })).toMatchObject({ go: 'wait', reason: 'paused' })
  })

  test('outside of its windows shipping waits, packing does not', () => {
    expect(judgeManners({ ...free, insideWindow: false })).toEqual({ go: 'wait', reason: 'outside-window' })
    expect(judgePacking({ ...free, insideWindow: false })).toEqual({ go: 'on', slowly: false })
  })

  test('pressure holds both back, but only for a recording', () => {
    const pressed = { ...free, pressure: { since: 0, resource: 'io' as const } }
    expect(judgeManners(pressed)).toEqual({ go: 'wait', reason: 'pressure', resource: 'io' })
    expect(judgePacking(pressed)).toEqual({ go: 'wait', reason: 'pressure', resource: 'io' })
    expect(judgeManners({ ...pressed, recording: false })).toEqual({ go: 'on', slowly: false })
    expect(judgeManners({ ...pressed, steady: longestWaitMs })).toEqual({ go: 'on', slowly: true })
  })
})

describe('priority', () => {
  test('words and numbers are one scale', () => {
    expect(['high', 'normal', 'low', undefined, 3, 99, -99].map((value) => priorityOf(value as 'high'))).toEqual([
      10, 0, -10, 0, 3, 10, -10,
    ])
  })

  test('whatever its priority, what waits long enough passes every newcomer', () => {
    const priority = fc.integer({ min: -10, max: 10 })
    fc.assert(
      fc.property(priority, priority, fc.integer({ min: 21, max: 10_000 }), (old, fresh, hours) => {
        const now = hours * hour
        expect(score({ priority: old, since: 0 }, now)).toBeGreaterThan(score({ priority: fresh, since: now }, now))
      }),
    )
  })
})

/** Manners on clocks of the test's own. */
function mannersAt(more: Partial<MannersOptions> = {}) {
  const clock = { now: 0, steady: 0 }
  const changes: string[] = []
  const manners = new Manners({
    rate: 0,
    windows: [],
    limits: { io: 60, cpu: 0, memory: 0 },
    local: () => ({ year: 2026, month: 1, day: 1, weekday: 0, hour: 0, minute: 0 }),
    readPause: () => undefined,
    readPressure: () => undefined,
    recording: () => true,
    now: () => clock.now,
    steady: () => clock.steady,
    onChange: (manner) => changes.push(manner.go === 'wait' ? manner.reason : manner.slowly ? 'slowly' : 'on'),
    ...more,
  })
  return { clock, changes, manners }
}

test('a pause is seen within a second, ends the running part, and is told once', () => {
  let paused = false
  const { clock, changes, manners } = mannersAt({ readPause: () => (paused ? { by: 'ada' } : undefined) })
  expect(manners.mustYield()).toBe(false)
  paused = true
  clock.steady += 1000
  expect([manners.mustYield(), manners.mustYield()]).toEqual([true, true])
  paused = false
  clock.steady += 1000
  expect(manners.mustYield()).toBe(false)
  expect(changes).toEqual(['on', 'paused', 'on'])
})

test('what would stand still for more than 10 s inside a body ends its part instead', async () => {
  const { clock, manners } = mannersAt({ rate: 4096 })
  const ended = new AbortController()
  ended.abort()
  for (let k = 0; k < 11; k++) await manners.take(4096, ended.signal)
  expect(manners.mustYield()).toBe(true)
  clock.steady += 1000
  expect(manners.mustYield()).toBe(false)
})

test('under lasting pressure shipping goes on at 256 KiB a second', async () => {
  const { clock, manners, changes } = mannersAt({ readPressure: () => ({ io: 90, cpu: 0, memory: 0 }) })
  expect(manners.mustYield()).toBe(true)
  clock.steady += longestWaitMs
  expect(manners.mustYield()).toBe(false)
  expect(manners.piece).toBe(65_536)
  const started = performance.now()
  await manners.take(64 * 1024)
  await manners.take(128 * 1024)
  expect(performance.now() - started).toBeGreaterThan(450)
  expect(changes).toEqual(['pressure', 'slowly'])
})

test('waiting for a pause ends when the daemon ends', async () => {
  const { manners } = mannersAt({ readPause: () => ({}) })
  const ending = new AbortController()
  const waiting = manners.whenAllowed(ending.signal)
  ending.abort()
  await waiting
  expect(manners.mustYield()).toBe(true)
})

test('what a day of failures had put back was never its turn again', () => {
  const now = 100 * 3_600_000
  expect(score({ since: 0, attempts: 190 }, now)).toBeGreaterThan(score({ since: now }, now))
  expect(score({ since: now, attempts: 1 }, now)).toBeLessThan(score({ since: now }, now))
})
