import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { holdAfterFault, jitteredDelay, noHold, retryAfterMs } from '../../../packages/agent/src/core/backoff.ts'
import { gateVerdict, remember, whyAsk } from '../../../packages/agent/src/core/gate-lane.ts'
import { nextTurn, planPass } from '../../../packages/agent/src/core/pass-plan.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('jitteredDelay', () => {
  test('never under 1 s, never over 15 min', () => {
    fc.assert(
      fc.property(fc.nat(10_000), random, (failures, r) => {
        const delay = jitteredDelay(failures, r)
        return delay >= 1000 && delay <= 900_000
      }),
    )
  })

  test('its window doubles with each failure up to 15 min', () => {
    expect([0, 1, 2, 3, 8, 9, 50].map((failures) => jitteredDelay(failures, 0.999_999_9))).toEqual([
      2000, 4000, 8000, 16_000, 512_000, 900_000, 900_000,
    ])
  })

  test('it is full jitter: the early end of the window is 1 s however often it failed', () => {
    expect(jitteredDelay(50, 0)).toBe(1000)
  })
})

describe('retryAfterMs', () => {
  test.each([
    ['seconds', '30', 30_000],
    ['zero is at least 1 s', '0', 1000],
    ['a day is at most 1 h', '86400', 3_600_000],
    ['an HTTP date', 'Sat, 21 Nov 2026 12:02:00 GMT', 120_000],
    ['a date in the past is 1 s', 'Sat, 21 Nov 2026 11:00:00 GMT', 1000],
    ['a negative number is nothing', '-5', undefined],
    ['a word is nothing', 'soon', undefined],
    ['absent is nothing', undefined, undefined],
  ])('%s', (_, value, ms) => {
    expect(retryAfterMs(value, now)).toBe(ms)
  })
})

describe('planPass', () => {
  const entry = (id: string, attempts = 0, more = {}) => ({ id, lane: 'ready', attempts, ...more })
  const ids = (plan: { queue: { id: string }[] }) => plan.queue.map(({ id }) => id)

  test('only ready entries go, least tried first', () => {
    const entries = [
      entry('a', 2),
      entry('b'),
      entry('c', 1),
      { ...entry('d'), lane: 'gated' },
      { ...entry('e'), lane: 'quarantine' },
    ]
    expect(ids(planPass(entries, noHold, now, 'due'))).toEqual(['b', 'c', 'a'])
  })

  test('a cut upload went behind every fresh entry, each of which began an upload of its own', () => {
    const entries = [entry('a', 0, { priority: 10 }), entry('b', 1, { upload_url: '/v1/uploads/b' }), entry('c')]
    expect(ids(planPass(entries, noHold, now, 'due'))).toEqual(['b', 'a', 'c'])
  })

  test('the daemon waits for the time of an entry, a person does not', () => {
    const entries = [entry('a', 1, { next_at: '2026-11-21T12:00:01Z' }), entry('b', 1, { next_at: '2026-11-21T12:00:00Z' })]
    expect(ids(planPass(entries, noHold, now, 'due'))).toEqual(['b'])
    expect(ids(planPass(entries, noHold, now, 'all'))).toEqual(['a', 'b'])
  })

  test('an entry that is in flight is not queued a second time', () => {
    expect(ids(planPass([entry('a'), entry('b')], noHold, now, 'all', new Set(['a'])))).toEqual(['b'])
  })

  test('a receiver that failed is held, and then one entry goes ahead alone', () => {
    const hold = holdAfterFault(noHold, 'connection-refused', now, 0.5)
    expect(planPass([entry('a')], hold, now, 'due').queue).toEqual([])
    expect(planPass([entry('a')], hold, hold.until, 'due')).toMatchObject({ queue: [{ id: 'a' }], probe: true })
    expect(holdAfterFault(hold, 'connection-refused', now, 0.5).until).toBeGreaterThan(hold.until)
  })

  test('the next turn is the first due entry, the end of the hold, or the rescan', () => {
    const later = [entry('a', 1, { next_at: '2026-11-21T12:00:05Z' })]
    expect(nextTurn(later, noHold, now, now + 30_000)).toBe(now + 5000)
    expect(nextTurn(later, { until: now + 9000, failures: 1, code: 'x' }, now, now + 30_000)).toBe(now + 9000)
    expect(nextTurn([], noHold, now, now + 30_000)).toBe(now + 30_000)
  })
})

describe('the gated lane', () => {
  const gate = {
    mode: 'enforce',
    branch: 'main',
    head: 'h',
    window: 1,
    size: 1,
    fetched_at: null,
    age_s: 0,
    source: 'api',
    failures: 0,
  } as const

  test('is asked about at first, when the head moved, and hourly with jitter', () => {
    const memory = remember('h1', now, 0.5)
    expect(whyAsk(undefined, 'h1', now)).toBe('first')
    expect(whyAsk(memory, 'h1', now + 1)).toBeUndefined()
    expect(whyAsk(memory, 'h2', now + 1)).toBe('head-moved')
    expect(whyAsk(memory, 'h1', now + 3_600_000)).toBe('hourly')
    expect(remember('h1', now, 0).askAgainAt).toBeLessThan(remember('h1', now, 0.9).askAgainAt)
  })

  test.each([
    ['an accepted commit goes', { ...gate, verdict: 'accept' as const }, 'c', 'accept'],
    ['a refused one stays', { ...gate, verdict: 'refuse' as const }, 'c', 'refuse'],
    ['without a set nothing is known', { ...gate, verdict: 'unavailable' as const }, 'c', 'unknown'],
    ['an episode without a stamp stays while the gate enforces', gate, undefined, 'refuse'],
    ['and goes when it only observes', { ...gate, mode: 'observe' as const }, undefined, 'accept'],
  ])('%s', (_, answer, commit, verdict) => {
    expect(gateVerdict(answer, commit)).toBe(verdict)
  })
})
