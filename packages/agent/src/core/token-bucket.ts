/** A token bucket that lends: who takes too much waits until it is paid back, and those after him wait behind him. Times are milliseconds of a clock that never goes back. */

export interface Bucket {
  /** Bytes that may go at once; below 0 they are owed. */
  readonly tokens: number
  readonly at: number
}

export interface Taken {
  readonly bucket: Bucket
  /** Until these bytes may go, in milliseconds. */
  readonly waitMs: number
}

/** What may go in one burst: a quarter of a second's worth. */
export function burstOf(rate: number): number {
  return rate / 4
}

export function fullBucket(rate: number, now: number): Bucket {
  return { tokens: burstOf(rate), at: now }
}

/** @param rate bytes a second, more than 0; it may change between two calls */
export function takeTokens(bucket: Bucket, bytes: number, rate: number, now: number): Taken {
  const earned = (Math.max(0, now - bucket.at) * rate) / 1000
  const tokens = Math.min(burstOf(rate), bucket.tokens + earned) - bytes
  return { bucket: { tokens, at: Math.max(now, bucket.at) }, waitMs: tokens >= 0 ? 0 : Math.ceil((-tokens * 1000) / rate) }
}

/** How long until nothing is owed, in milliseconds. */
export function debtMs(bucket: Bucket, rate: number, now: number): number {
  return takeTokens(bucket, 0, rate, now).waitMs
}

/** A second of a body is asked for in four pieces at least, so that no wait is long. @returns bytes */
export function pieceAt(rate: number, most: number): number {
  return rate === 0 ? most : Math.max(1024, Math.min(most, Math.floor(rate / 4)))
}

/** Bodies at once under a limit: each still gets twice what the receiver asks for at least (1 KiB a second). */
export function bodiesAtRate(rate: number, wanted: number): number {
  return rate === 0 ? wanted : Math.max(1, Math.min(wanted, Math.floor(rate / 2048)))
}
