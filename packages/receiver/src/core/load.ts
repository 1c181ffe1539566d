/** Who may send a body now: bodies at once, uploads of one host, its quota of the day, room on the disk. Pure: the counts come in. */
import type { Refused } from './claim.ts'
import { placeVerdict } from './places.ts'

/** Longest wait for a place; who comes back later is not counted as waiting any more. */
const longestWaitS = 60

export interface LoadLimits {
  readonly max_episode_size: number
  readonly bodies: number
  readonly uploads_per_host: number
  readonly bytes_per_day: number
  readonly episodes_per_day: number
  readonly headroom: number
}

export interface Load {
  readonly bodies: number
  /** Hosts that asked lately, and those of them that wait for a place. */
  readonly hosts: number
  readonly waiting: number
  /** How long a body takes, in milliseconds. */
  readonly eachMs: number
  readonly uploadsOfHost: number
  readonly bytesOfHostToday: number
  readonly episodesOfHostToday: number
  readonly freeBytes: number
}

export function lengthVerdict(length: number | undefined, max: number): Refused | undefined {
  if (length === undefined || length <= max) return undefined
  return { code: 'too-large', detail: `an episode has at most ${max} bytes here`, members: { max_bytes: max } }
}

export function roomVerdict(
  length: number | undefined,
  load: Pick<Load, 'freeBytes'>,
  limits: Pick<LoadLimits, 'headroom'>,
): Refused | undefined {
  if (load.freeBytes - (length ?? 0) >= limits.headroom) return undefined
  return { code: 'store-full', detail: 'the disk of the receiver is nearly full', members: { retry_after_s: 300 } }
}

/** What the host has sent today counts, and what this episode says of itself. */
export function quotaVerdict(
  length: number | undefined,
  load: Pick<Load, 'bytesOfHostToday' | 'episodesOfHostToday'>,
  limits: Pick<LoadLimits, 'bytes_per_day' | 'episodes_per_day'>,
): Refused | undefined {
  const bytes = load.bytesOfHostToday + (length ?? 0)
  const overBytes = limits.bytes_per_day > 0 && bytes > limits.bytes_per_day
  const overEpisodes = limits.episodes_per_day > 0 && load.episodesOfHostToday >= limits.episodes_per_day
  if (!overBytes && !overEpisodes) return undefined
  return { code: 'quota', detail: 'the daily quota of this host is used up', members: { retry_after_s: 3600 } }
}

/** Until those who wait already have had a place: who was turned away first comes back first. @returns seconds */
export function placeWaitS({ waiting, eachMs }: Pick<Load, 'waiting' | 'eachMs'>, places: number): number {
  return Math.min(longestWaitS, Math.max(1, Math.ceil(((waiting + 1) * eachMs) / places / 1000)))
}

/** May this host send one more body now? */
export function bodiesVerdict(
  load: Pick<Load, 'bodies' | 'uploadsOfHost' | 'hosts' | 'waiting' | 'eachMs'>,
  limits: Pick<LoadLimits, 'bodies' | 'uploads_per_host'>,
): Refused | undefined {
  const { bodies: taken, uploadsOfHost: mine, hosts, waiting } = load
  const place = placeVerdict({ limit: limits.bodies, taken, mine, hosts, waiting })
  const members = { retry_after_s: placeWaitS(load, limits.bodies) }
  if (place === 'full') return { code: 'overloaded', detail: 'too many uploads run at once', members }
  if (place === 'over-share')
    return { code: 'rate', detail: `this host has ${mine} uploads running and other hosts wait for a place`, members }
  if (mine < limits.uploads_per_host) return undefined
  return { code: 'rate', detail: `this host has ${mine} uploads running`, members }
}

/** Upload resources that a host has open, a new one apart. */
export function openUploadsVerdict(open: number, limits: Pick<LoadLimits, 'uploads_per_host'>): Refused | undefined {
  if (open < limits.uploads_per_host) return undefined
  return { code: 'rate', detail: `this host has ${open} uploads open; finish or cancel one`, members: { retry_after_s: 60 } }
}

/** Too slow when nothing came for `idleMs`, or when the average since the first byte is below `minRate`. Times in ms of source time. */
export function tooSlow(
  body: { readonly idleMs: number; readonly elapsedMs: number; readonly bytes: number },
  limits: { readonly idle_timeout: number; readonly min_rate: number },
): boolean {
  if (body.idleMs > limits.idle_timeout) return true
  return body.elapsedMs > limits.idle_timeout && body.bytes < (limits.min_rate * body.elapsedMs) / 1000
}
