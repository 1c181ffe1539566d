/** Reads a request body chunk by chunk with backpressure, and ends one that stalls, trickles or grows too large. */
import type { IncomingMessage } from 'node:http'
import { Refusal } from '@cis490/shared/problems.ts'
import { tooSlow } from '../core/load.ts'

export interface BodyLimits {
  /** ms */
  readonly idle_timeout: number
  /** bytes a second */
  readonly min_rate: number
}

/** The client went away before the body's end. Not a refusal: nobody is there to be told. */
export class BodyCut extends Error {
  override readonly name = 'BodyCut'
}

const seen = new WeakMap<IncomingMessage, { bytes: number }>()

/** Body bytes that were read of this request, for the log of refusals. */
export function bodyBytesRead(request: IncomingMessage): number {
  return seen.get(request)?.bytes ?? 0
}

/**
 * `data` events, not async iteration: a promise for each 16 KiB would cost more than the hash.
 * Time in which we wait for our own disk does not count against the client.
 * @param take gets each chunk; a returned promise pauses the source
 * @param signal ends the body with its reason
 * @throws Refusal too-slow or too-large, BodyCut, or what `take` throws
 */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  maxBytes: number,
  take: (chunk: Buffer) => Promise<void> | undefined,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const clock = new SourceClock(performance.now())
    const read = { bytes: 0 }
    seen.set(request, read)
    const finish = (error?: unknown) => {
      clearInterval(watch)
      signal?.removeEventListener('abort', onAbort)
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      // Errors after this point belong to nobody, but an unheard one would end the process.
      request.on('error', () => undefined)
      if (error === undefined) return resolve()
      request.pause()
      reject(error)
    }
    const onData = (chunk: Buffer) => {
      read.bytes += chunk.length
      clock.progress(performance.now())
      if (read.bytes > maxBytes)
        return finish(new Refusal('too-large', `this body may have at most ${maxBytes} bytes`, { max_bytes: maxBytes }))
      try {
        const wait = take(chunk)
        if (wait) pauseUntil(wait)
      } catch (error) {
        finish(error)
      }
    }
    const pauseUntil = (wait: Promise<void>) => {
      request.pause()
      clock.pause(performance.now())
      wait.then(
        () => {
          clock.resume(performance.now())
          request.resume()
        },
        (error: unknown) => finish(error),
      )
    }
    const onEnd = () => finish()
    const onClose = () => finish(new BodyCut('the connection ended inside the body'))
    const onAbort = () => finish(signal?.reason)
    const watch = setInterval(
      () => {
        const idleMs = clock.idle(performance.now())
        const elapsedMs = clock.elapsed(performance.now())
        if (!tooSlow({ idleMs, elapsedMs, bytes: read.bytes }, limits)) return
        finish(new Refusal('too-slow', `the body stalled or came slower than ${limits.min_rate} bytes a second`))
      },
      Math.min(1000, limits.idle_timeout / 4),
    )
    if (signal?.aborted) return onAbort()
    // Cut while the gate was asked: its `close` has been and will not come again.
    if (request.destroyed && !request.readableEnded) return onClose()
    signal?.addEventListener('abort', onAbort)
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

/** Time as the client is answerable for it: pauses of ours are taken out. */
class SourceClock {
  readonly #start: number
  #last: number
  #paused = 0
  #pausedAt: number | undefined

  constructor(now: number) {
    this.#start = now
    this.#last = now
  }
  progress(now: number): void {
    this.#last = now
  }
  pause(now: number): void {
    this.#pausedAt ??= now
  }
  resume(now: number): void {
    if (this.#pausedAt !== undefined) this.#paused += now - this.#pausedAt
    this.#pausedAt = undefined
    this.#last = now
  }
  idle(now: number): number {
    return this.#pausedAt === undefined ? now - this.#last : 0
  }
  elapsed(now: number): number {
    return now - this.#start - this.#paused - (this.#pausedAt === undefined ? 0 : now - this.#pausedAt)
  }
}
