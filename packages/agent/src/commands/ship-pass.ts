/** One attempt for each entry whose turn it is, a few at a time. */
import { answerMayBeLost } from '../core/answer.ts'
import type { AttemptOutcome } from '../core/outcome.ts'
import { type PassMode, planPass } from '../core/pass-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import { attempt } from './attempt.ts'
import { rearm } from './rearm.ts'
import type { Shipping } from './shipping.ts'

export interface PassResult {
  readonly delivered: number
  readonly bytes: number
  readonly attempted: number
}

/** Re-arms the gated lane first. @param signal ends running transfers; their entries stay as they are */
export async function shipPass(shipping: Shipping, mode: PassMode, signal: AbortSignal): Promise<PassResult> {
  const { outbox, memory } = shipping
  if (mode === 'all' || memory.hold.until <= shipping.now()) await rearm(shipping, signal)
  const { queue, probe } = planPass(await outbox.entries(), memory.hold, shipping.now(), mode, outbox.inFlight)
  const total = { delivered: 0, bytes: 0, attempted: 0 }
  let stopped = false
  const worker = async (most: number) => {
    for (let done = 0; done < most && !stopped && !signal.aborted; done++) {
      const entry = queue.shift()
      if (!entry) return
      const outcome = await attempt(shipping, entry, signal)
      count(total, entry, outcome)
      stopped ||= endsPass(outcome, mode)
    }
  }
  if (probe) await worker(1)
  const stop = (error: unknown) => {
    stopped = true
    throw error
  }
  const workers = Array.from({ length: shipping.concurrency }, () => worker(Number.POSITIVE_INFINITY).catch(stop))
  // The pass is over when nothing of it runs any more: the next one must not meet its transfers.
  const failed = (await Promise.allSettled(workers)).find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
  return total
}

function count(total: { delivered: number; bytes: number; attempted: number }, entry: Entry, outcome: AttemptOutcome): void {
  total.attempted += 1
  if (outcome.outcome !== 'delivered') return
  total.delivered += 1
  total.bytes += entry.bytes
}

/** What is not about one entry ends the pass; a person's own pass goes on after a transfer that was cut. */
function endsPass(outcome: AttemptOutcome, mode: PassMode): boolean {
  if (outcome.outcome === 'unreachable') return mode === 'due' || !answerMayBeLost(outcome.code)
  return outcome.outcome === 'all-wait' || outcome.outcome === 'untouched'
}
