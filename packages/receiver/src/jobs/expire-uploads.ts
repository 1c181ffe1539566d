/** Takes away uploads that nobody has touched for their whole age. */
import type { Logger } from '@cis490/shared/node/log.ts'
import type { Metrics } from '../http/metrics.ts'
import type { Uploads } from '../store/uploads.ts'

const mostMs = 60_000

/** Looks often enough for short ages too, at most every minute. */
export function expireUploads(uploads: Uploads, metrics: Metrics, log: Logger): Disposable {
  const look = async () => {
    const removed = await uploads.expire(Date.now())
    if (removed === 0) return
    metrics.uploadsExpired.inc(removed)
    log.info({ event: 'uploads-expired', removed }, 'uploads expired')
  }
  const every = Math.max(100, Math.min(mostMs, uploads.maxAgeMs / 4))
  const timer = setInterval(() => void look(), every).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
