/** Takes away uploads that nobody has touched for their whole age. */
import type { Logger } from '@cis490/shared/node/log.ts'
import type { Metrics } from '../http/metrics.ts'
import type { Uploads } from '../store/uploads.ts'

const mostMs = 60_000
/** The first look after a start, which does not read the answers of ended uploads. */
const soonMs = 5000

/** Looks often enough for short ages too, at most every minute. Ends a look that runs when it is disposed of. */
export function expireUploads(uploads: Uploads, metrics: Metrics, log: Logger): AsyncDisposable {
  const stopping = new AbortController()
  let looking: Promise<void> | undefined
  const expire = async () => {
    const removed = await uploads.expire(Date.now(), stopping.signal)
    if (removed === 0) return
    metrics.uploadsExpired.inc(removed)
    log.info({ event: 'uploads-expired', removed }, 'uploads expired')
  }
  const look = () => {
    looking ??= expire()
      .catch((error: unknown) => log.warn({ err: error }, 'expired uploads cannot be removed now; tried again'))
      .finally(() => {
        looking = undefined
      })
  }
  const every = Math.max(100, Math.min(mostMs, uploads.maxAgeMs / 4))
  const soon = setTimeout(look, Math.min(soonMs, every)).unref()
  const timer = setInterval(look, every).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearTimeout(soon)
      clearInterval(timer)
      stopping.abort()
      await looking
    },
  }
}
