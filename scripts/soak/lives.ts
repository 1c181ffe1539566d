/** How long the receiver lives between two kills: every order of magnitude gets its share. Pure. */
import { between, type Random } from '../../test/support/seeded.ts'

/** About as long as the first handshake after a start. */
const shortestMs = 20
/** Long enough that all code has been compiled by its end. */
const longestMs = 30_000
const steepest = 16
const steps = 14

/** @returns a place in [0, 1) for each life, evenly spread whatever the seed, in any order */
export function drawPlaces(count: number, random: Random): number[] {
  const places = Array.from({ length: count }, (_, k) => (k + random()) / count)
  for (let k = count - 1; k > 0; k--) {
    const other = between(random, 0, k)
    const moved = places[k] as number
    places[k] = places[other] as number
    places[other] = moved
  }
  return places
}

/**
 * The length of the first of the lives that are left, in milliseconds: from 20 ms to 30 s, short ones so much more often than long ones
 * that all of them together fill the time that is left.
 * @param left places of the lives that are left. @param ms for all of them together
 */
export function nextLife(left: readonly number[], ms: number): number {
  const [first = 0] = left
  const longest = Math.max(2 * shortestMs, Math.min(longestMs, ms / 2))
  const magnitudes = Math.log(longest / shortestMs)
  const length = (place: number, bend: number) => shortestMs * Math.exp(magnitudes * place ** bend)
  const together = (bend: number) => left.reduce((sum, place) => sum + length(place, bend), 0)
  let [low, high] = [1 / steepest, steepest]
  for (let k = 0; k < steps; k++) {
    const middle = Math.sqrt(low * high)
    if (together(middle) > ms) low = middle
    else high = middle
  }
  return length(first, high)
}
