/** Who may send a body now: bodies at once, uploads of one host, its quota of the day, room on the disk. Pure: the counts come in. */
import type { Refused } from './claim.ts'

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
  readonly uploadsOfHost: number
  readonly bytesOfHostToday: number
  readonly episodesOfHostToday: number
  readonly freeBytes: number
}

export function lengthVerdict(length: number | undefined, max: number): Refused | undefined {
  if (length === undefined || length <= max) return undefined
  return { code: 'too-large', detail: `an episode has at most ${max} bytes here`, members: { max_bytes: max } }
}

export function roomVerdict(length: number | undefined, load: Load, limits: LoadLimits): Refused | undefined {
  if (load.freeBytes - (length ?? 0) >= limits.headroom) return undefined
  return { code: 'store-full', detail: 'the disk of the receiver is nearly full', members: { retry_after_s: 300 } }
}

/** @param jitter 0 to 1, so that the refused do not come back together */
export function loadVerdict(length: number | undefined, load: Load, limits: LoadLimits, jitter: number): Refused | undefined {
  const crowded = bodiesVerdict(load, limits, jitter)
  if (crowded) return crowded
  const bytes = load.bytesOfHostToday + (length ?? 0)
  const overBytes = limits.bytes_per_day > 0 && bytes > limits.bytes_per_day
  const overEpisodes = limits.episodes_per_day > 0 && load.episodesOfHostToday >= limits.episodes_per_day
  if (!overBytes && !overEpisodes) return undefined
  return { code: 'quota', detail: 'the daily quota of this host is used up', members: { retry_after_s: 3600 } }
}

export function bodiesVerdict(
  load: Pick<Load, 'bodies' | 'uploadsOfHost'>,
  limits: Pick<LoadLimits, 'bodies' | 'uploads_per_host'>,
  jitter: number,
): Refused | undefined {
  const retry_after_s = 1 + Math.floor(jitter * 10)
  if (load.bodies >= limits.bodies)
    return { code: 'overloaded', detail: 'too many uploads run at once', members: { retry_after_s } }
  if (load.uploadsOfHost < limits.uploads_per_host) return undefined
  return { code: 'rate', detail: `this host has ${load.uploadsOfHost} uploads running`, members: { retry_after_s } }
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
