/** Reads and throws away what a refused client still sends, within bounds, so that the answer reaches it. */
import type { IncomingMessage } from 'node:http'

export interface DrainLimits {
  readonly drain_bytes: number
  /** ms */
  readonly drain_time: number
}

/** @returns bytes thrown away, and whether the client came to its end */
export function drain(request: IncomingMessage, limits: DrainLimits): Promise<{ bytes: number; ended: boolean }> {
  return new Promise((resolve) => {
    let bytes = 0
    const done = (ended: boolean) => {
      clearTimeout(timer)
      request.off('data', onData).off('end', onEnd).off('close', onClose)
      resolve({ bytes, ended })
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > limits.drain_bytes) done(false)
    }
    const onEnd = () => done(true)
    const onClose = () => done(request.readableEnded)
    const timer = setTimeout(() => done(false), limits.drain_time)
    request.on('error', () => undefined)
    if (request.readableEnded || request.destroyed) return done(request.readableEnded)
    request.on('data', onData).on('end', onEnd).on('close', onClose).resume()
  })
}
