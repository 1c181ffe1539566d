/** Who gets one of the places for bodies when they are scarce. Pure: the counts come in. */

export interface Places {
  readonly limit: number
  readonly taken: number
  /** Of the host that asks. */
  readonly mine: number
  /** That sent or asked lately, the one that asks among them. */
  readonly hosts: number
  /** Other hosts that have no place and were refused one lately. */
  readonly waiting: number
}

/** `over-share`: there may be a free place, but it is for a host that has none. */
export type PlaceVerdict = 'free' | 'full' | 'over-share'

/**
 * Nobody is held to a share while there are places for all; a body that runs is never ended for another.
 * So a greedy host keeps what it has, and what it gives back goes to those who wait.
 */
export function placeVerdict({ limit, taken, mine, hosts, waiting }: Places): PlaceVerdict {
  const share = Math.ceil(limit / Math.max(1, hosts))
  if (waiting > 0 && mine >= share && limit - taken <= waiting) return 'over-share'
  return taken >= limit ? 'full' : 'free'
}
