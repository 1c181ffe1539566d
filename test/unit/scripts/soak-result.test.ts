/** What a soak of ten minutes is asked for, and what a shorter one is not. */
import { expect, it } from 'vitest'
import { shortOf } from '../../../scripts/soak/result.ts'

it.each([
  [10, 100_000, 500, []],
  [10, 99_999, 510, ['99999 PUTs of the 100000 that it is meant to reach']],
  [12, 200_000, 499, ['499 kills of the 500 that it is meant to reach']],
  [9.9, 1, 0, []],
])('%f min with %i PUTs and %i kills', (minutes, puts, kills, short) => {
  expect(shortOf(minutes, minutes, puts, kills)).toEqual(short)
})

it('a run that took longer than asked is told: its uploads are not those of ten minutes', () => {
  expect(shortOf(10, 10.6, 100_000, 500)).toEqual(['it took 10.6 min, not 10'])
})
