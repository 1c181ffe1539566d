/** The lengths of the receiver's lives in a soak. */
import { describe, expect, it } from 'vitest'
import { drawPlaces, nextLife } from '../../../scripts/soak/lives.ts'
import { seeded } from '../../support/seeded.ts'

function all(count: number, ms: number, seed: number): number[] {
  const places = drawPlaces(count, seeded(seed))
  let left = ms
  return places.map((_, k) => {
    const life = nextLife(places.slice(k), left)
    left -= life
    return life
  })
}

describe('the lives of a soak', () => {
  const lives = all(510, 400_000, 490)

  it('fill the time', () => {
    const short = all(4, 7000, 490)
    for (const [some, ms] of [
      [lives, 400_000],
      [short, 7000],
    ] as const) {
      const sum = some.reduce((a, b) => a + b, 0)
      expect(sum).toBeGreaterThan(0.7 * ms)
      expect(sum).toBeLessThan(1.01 * ms)
    }
  })

  it('have every order of magnitude, and long ones have most of the time', () => {
    for (const [from, to] of [
      [20, 60],
      [60, 200],
      [200, 2000],
      [2000, 10_000],
      [10_000, 30_000],
    ] as const)
      expect(lives.filter((life) => life >= from && life < to).length).toBeGreaterThanOrEqual(5)
    const long = lives.filter((life) => life > 5000).reduce((a, b) => a + b, 0)
    expect(long).toBeGreaterThan(200_000)
  })
})

it('where no time is left they are as short as they can be', () => {
  expect(nextLife([0.2, 0.5, 0.9], -100)).toBeLessThan(41)
})

it('the same seed gives the same lives', () => {
  expect(all(51, 60_000, 3)).toEqual(all(51, 60_000, 3))
  expect(all(51, 60_000, 3)).not.toEqual(all(51, 60_000, 4))
})
