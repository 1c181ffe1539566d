/** One entry, one attempt: ask where an answer was lost, send, decide, settle. */
import { type Answer, answerMayBeLost } from '../core/answer.ts'
import { hour, jitteredDelay } from '../core/backoff.ts'
import { type AttemptOutcome, afterHead, outcomeOf } from '../core/outcome.ts'
import { wantsResume } from '../core/resume-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import { sendResumably } from './resume.ts'
import { settle } from './settle.ts'
import type { Shipping } from './shipping.ts'
import { onlyIfTrusted } from './trust-receipt.ts'

/** @returns what became of it, after it is durable */
export async function attempt(shipping: Shipping, entry: Entry, signal: AbortSignal): Promise<AttemptOutcome> {
  const { outbox } = shipping
  outbox.markInFlight(entry.id)
  try {
    // An open upload knows itself what became of it.
    const lost = entry.upload_url === undefined && answerMayBeLost(entry.last?.code ?? '')
    if (lost && (await conflicts(shipping, entry, signal)))
      return await settle(shipping, entry, { outcome: 'quarantine', code: 'content-conflict' }, 409, '')
    await shipping.pace.whenAllowed(signal)
    const { answer, entry: sent, standsStill } = await send(shipping, entry, signal)
    const told: AttemptOutcome = standsStill
      ? {
          outcome: 'later',
          nextAt: shipping.now() + jitteredDelay(sent.attempts, shipping.random()),
          code: 'upload-stands-still',
        }
      : outcomeOf(sent, answer, shipping.now(), shipping.random())
    const outcome = await onlyIfTrusted(shipping, sent, answer, told, signal)
    const status = answer.kind === 'answer' ? answer.status : 0
    if (outcome.outcome !== 'compare')
      return await settle(shipping, sent, outcome, status, answer.kind === 'answer' ? answer.body : '', signal)
    const same = !(await conflicts(shipping, sent, signal))
    const compared: AttemptOutcome = same
      ? { outcome: 'later', nextAt: shipping.now() + jitteredDelay(sent.attempts, shipping.random()), code: 'already-exists' }
      : { outcome: 'quarantine', code: 'content-conflict' }
    return await settle(shipping, sent, compared, status, '')
  } finally {
    outbox.releaseInFlight(entry.id)
  }
}

interface Sent {
  readonly answer: Answer
  readonly entry: Entry
  readonly standsStill?: boolean
}

/** Resumably where it is worth it and the receiver knows how; else in one piece. */
async function send(shipping: Shipping, entry: Entry, signal: AbortSignal): Promise<Sent> {
  let sent = entry
  if (wantsResume(entry) && !plainOnly(shipping)) {
    const resumed = await sendResumably(shipping, entry, signal)
    if (resumed.answer) return { ...resumed, answer: resumed.answer }
    shipping.memory.plainSince = shipping.now()
    shipping.log.info(
      { event: 'resume-unknown', id: entry.id },
      'the receiver does not know resumable uploads: sent in one piece',
    )
    sent = resumed.entry
  }
  const path = shipping.outbox.archivePath(entry.id)
  const progress = (bytes: number) => shipping.onProgress(entry, bytes)
  return { answer: await shipping.client().put(entry, path, progress, signal), entry: sent }
}

/** A receiver that did not know resumable uploads is asked again after an hour. */
function plainOnly({ memory, now }: Shipping): boolean {
  const age = now() - (memory.plainSince ?? Number.NEGATIVE_INFINITY)
  return age >= 0 && age < hour
}

async function conflicts(shipping: Shipping, entry: Entry, signal: AbortSignal): Promise<boolean> {
  return afterHead(await shipping.client().head(entry.id, signal), entry.sha256) === 'conflict'
}
