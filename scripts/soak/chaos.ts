/** What happens to the connections of a soak, by seed: about one in four is left alone. */
import type { Act, Direction, Fault, Plan, Planner } from '../../test/support/chaos-proxy.ts'
import { between, pick, seeded } from '../../test/support/seeded.ts'

const acts: readonly ((side: Direction) => Act)[] = [
  () => ({ do: 'cut' }),
  () => ({ do: 'cut' }),
  () => ({ do: 'reset' }),
  () => ({ do: 'reset' }),
  () => ({ do: 'cut' }),
  () => ({ do: 'reset' }),
  (side) => ({ do: 'half-close', side }),
  (side) => ({ do: 'half-close', side }),
  (side) => ({ do: 'stall', side }),
  (side) => ({ do: 'trickle', side, bytes: 400, everyMs: 5 }),
]

/** Bytes of a TLS handshake and of some thousand small requests. */
const least = 200
const most = 6_000_000

export function chaos(seed: number): Planner {
  const random = seeded(seed)
  return (): Plan => {
    const delay = random() < 0.05 ? { delayMs: between(random, 1, 100) } : {}
    if (random() < 0.25) return delay
    // Evenly over the orders of magnitude: some break in the handshake, some after many requests.
    const after = Math.round(least * (most / least) ** random())
    if (random() < 0.15) return { ...delay, faults: lostAnswer(after) }
    const on = pick(random, ['up', 'up', 'up', 'down'] as const)
    // Answers are small: as many bytes of them are many more requests.
    const faults = [{ ...pick(random, acts)(on), on, after: on === 'up' ? after : Math.ceil(after / 10) }]
    return { ...delay, faults }
  }
}

/** The requests come through for a while, the answers do not; then the connection ends. */
function lostAnswer(after: number): Fault[] {
  return [
    { do: 'swallow', side: 'down', on: 'up', after },
    { do: 'cut', on: 'up', after: after + 20_000 },
  ]
}
