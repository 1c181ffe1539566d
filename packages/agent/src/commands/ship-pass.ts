/** One attempt for each entry whose turn it is, a few at a time. */
import { answerMayBeLost } from '../core/answer.ts'
import type { AttemptOutcome } from '../core/outcome.ts'
import type { PassMode } from '../core/pass-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import { attempt } from './attempt.ts'
import type { Shipping } from './shipping.ts'
import { Turns } from './turns.ts'

export interface PassResult {
  readonly delivered: number
  readonly bytes: number
  readonly attempted: number
}

/** Milliseconds after which a worker without work looks again, while others still have some. */
const lookEvery = 5000

/**
 * Re-arms the gated lane first. A daemon's pass takes what becomes due while it lasts, so that one long transfer delays nobody.
 * @param signal ends running transfers; their entries stay as they are
 */
export async function shipPass(shipping: Shipping, mode: PassMode, signal: AbortSignal): Promise<PassResult> {
  const total = { delivered: 0, bytes: 0, attempted: 0 }
  const turns = new Turns(shipping, mode, signal)
  const bell = new Bell()
  let stopped = false
  shipping.memory.reached = () => {
    turns.reached()
    bell.ring()
  }
  const worker = async () => {
    while (!stopped && !signal.aborted) {
      const entry = await turns.next()
      if (!entry && turns.out === 0) return
      if (!entry) {
        await bell.rung(lookEvery)
        continue
      }
      try {
        const outcome = await attempt(shipping, entry, signal)
        count(total, entry, outcome)
        stopped ||= endsPass(outcome, mode)
      } catch (error) {
        stopped = true
        throw error
      } finally {
        turns.ended(entry)
        bell.ring()
      }
    }
  }
  // The pass is over when nothing of it runs any more: the next one must not meet its transfers.
  const ended = await Promise.allSettled(Array.from({ length: shipping.concurrency }, worker))
  shipping.memory.reached = undefined
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
  return total
}

function count(total: { delivered: number; bytes: number; attempted: number }, entry: Entry, outcome: AttemptOutcome): void {
  total.attempted += 1
  if (outcome.outcome !== 'delivered') return
  total.delivered += 1
  total.bytes += entry.bytes
}

/** A daemon's pass stands still while the receiver is held; a person's own goes on after a transfer that was cut. */
function endsPass(outcome: AttemptOutcome, mode: PassMode): boolean {
  if (outcome.outcome === 'untouched') return true
  if (mode === 'due') return false
  return outcome.outcome === 'all-wait' || (outcome.outcome === 'unreachable' && !answerMayBeLost(outcome.code))
}

/** Wakes everybody who waits, once. */
class Bell {
  #waiting = Promise.withResolvers<void>()

  ring(): void {
    this.#waiting.resolve()
    this.#waiting = Promise.withResolvers()
  }

  async rung(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    await Promise.race([this.#waiting.promise, promise])
    clearTimeout(timer)
  }
}
