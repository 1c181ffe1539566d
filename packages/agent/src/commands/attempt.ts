/** One entry, one attempt: ask where an answer was lost, send, decide, settle. */
import { answerMayBeLost } from '../core/answer.ts'
import { jitteredDelay } from '../core/backoff.ts'
import { type AttemptOutcome, afterHead, outcomeOf } from '../core/outcome.ts'
import type { Entry } from '../outbox/entry.ts'
import { settle } from './settle.ts'
import type { Shipping } from './shipping.ts'

/** @returns what became of it, after it is durable */
export async function attempt(shipping: Shipping, entry: Entry, signal: AbortSignal): Promise<AttemptOutcome> {
  const { outbox } = shipping
  outbox.markInFlight(entry.id)
  try {
    if (entry.last && answerMayBeLost(entry.last.code) && (await conflicts(shipping, entry, signal)))
      return await settle(shipping, entry, { outcome: 'quarantine', code: 'content-conflict' }, 409, '')
    const path = outbox.archivePath(entry.id)
    const progress = (bytes: number) => shipping.onProgress(entry, bytes)
    const answer = await shipping.client().put(entry, path, progress, signal)
    const outcome = outcomeOf(entry, answer, shipping.now(), shipping.random())
    const status = answer.kind === 'answer' ? answer.status : 0
    if (outcome.outcome !== 'compare')
      return await settle(shipping, entry, outcome, status, answer.kind === 'answer' ? answer.body : '')
    const same = !(await conflicts(shipping, entry, signal))
    const compared: AttemptOutcome = same
      ? { outcome: 'later', nextAt: shipping.now() + jitteredDelay(entry.attempts, shipping.random()), code: 'already-exists' }
      : { outcome: 'quarantine', code: 'content-conflict' }
    return await settle(shipping, entry, compared, status, '')
  } finally {
    outbox.releaseInFlight(entry.id)
  }
}

async function conflicts(shipping: Shipping, entry: Entry, signal: AbortSignal): Promise<boolean> {
  return afterHead(await shipping.client().head(entry.id, signal), entry.sha256) === 'conflict'
}
