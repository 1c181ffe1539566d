import { expect, test } from 'vitest'
import {
  bodiesVerdict,
  type Load,
  lengthVerdict,
  quotaVerdict,
  roomVerdict,
  tooSlow,
} from '../../../packages/receiver/src/core/load.ts'

const limits = {
  max_episode_size: 1000,
  bodies: 4,
  uploads_per_host: 2,
  bytes_per_day: 500,
  episodes_per_day: 3,
  headroom: 100,
}
const calm: Load = {
  bodies: 0,
  hosts: 1,
  waiting: 0,
  eachMs: 1000,
  uploadsOfHost: 0,
  bytesOfHostToday: 0,
  episodesOfHostToday: 0,
  freeBytes: 10_000,
}

test.each([
  ['nothing else is going on', {}, 100, undefined],
  ['the last place is free', { bodies: 3 }, 100, undefined],
  ['all places are taken', { bodies: 4 }, 100, 'overloaded'],
  ['the host sends as many as it may', { uploadsOfHost: 2 }, 100, 'rate'],
  ['the day is used up to the byte', { bytesOfHostToday: 400 }, 100, undefined],
  ['the day would be over by one byte', { bytesOfHostToday: 401 }, 100, 'quota'],
  ['the length is unknown and the day is not yet over', { bytesOfHostToday: 500 }, undefined, undefined],
  ['the episodes of the day are used up', { episodesOfHostToday: 3 }, 1, 'quota'],
  ['both the receiver and the host are over', { bodies: 4, uploadsOfHost: 2 }, 1, 'overloaded'],
])('when %s, the verdict is told', (_, load, length, code) => {
  const all = { ...calm, ...load }
  expect((bodiesVerdict(all, limits) ?? quotaVerdict(length, all, limits))?.code).toBe(code)
})

test('no quota means no quota', () => {
  const busy = { ...calm, bytesOfHostToday: 1e12, episodesOfHostToday: 1e6 }
  expect(quotaVerdict(1e9, busy, { ...limits, bytes_per_day: 0, episodes_per_day: 0 })).toBeUndefined()
})

test.each([
  ['of unknown length', undefined, undefined],
  ['of exactly the limit', 1000, undefined],
  ['of one byte more', 1001, 'too-large'],
])('a body %s is judged', (_, length, code) => {
  const verdict = lengthVerdict(length, 1000)
  expect(verdict?.code).toBe(code)
  if (code) expect(verdict?.members).toEqual({ max_bytes: 1000 })
})

test.each([
  ['just enough stays free', 200, 100, undefined],
  ['one byte too little would stay free', 199, 100, 'store-full'],
  ['the length is unknown and the head-room is there', 100, undefined, undefined],
  ['the length is unknown and the head-room is gone', 99, undefined, 'store-full'],
])('when %s, room is judged', (_, freeBytes, length, code) => {
  expect(roomVerdict(length, { ...calm, freeBytes }, limits)?.code).toBe(code)
})

test.each([
  ['came just now', { idleMs: 0, elapsedMs: 0, bytes: 0 }, false],
  ['is silent as long as it may be', { idleMs: 5000, elapsedMs: 5000, bytes: 0 }, false],
  ['is silent for longer', { idleMs: 5001, elapsedMs: 6000, bytes: 1e9 }, true],
  ['is slow, but has only begun', { idleMs: 0, elapsedMs: 5000, bytes: 1 }, false],
  ['keeps the minimum on average', { idleMs: 0, elapsedMs: 10_000, bytes: 10_000 }, false],
  ['is below the minimum on average', { idleMs: 0, elapsedMs: 10_000, bytes: 9999 }, true],
])('a body that %s is too slow: %#', (_, body, slow) => {
  expect(tooSlow(body, { idle_timeout: 5000, min_rate: 1000 })).toBe(slow)
})
