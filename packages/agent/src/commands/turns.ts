/** Whose turn it is: hands entries to the workers of a pass, one alone while nobody knows whether the receiver is there. */
import { isHeld } from '../core/backoff.ts'
import { type PassMode, planPass } from '../core/pass-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import { rearm } from './rearm.ts'
import type { Shipping } from './shipping.ts'

/** Milliseconds after which a daemon looks for what has become due, or was packed, while a pass runs. */
const planEvery = 5000
const rearmEvery = 30_000

export class Turns {
  readonly #shipping: Shipping
  readonly #mode: PassMode
  readonly #signal: AbortSignal
  #queue: Entry[] = []
  #planned = Number.NEGATIVE_INFINITY
  #rearmed = Number.NEGATIVE_INFINITY
  #planning: Promise<void> | undefined
  #probe: Entry | undefined
  #out = 0

  constructor(shipping: Shipping, mode: PassMode, signal: AbortSignal) {
    this.#shipping = shipping
    this.#mode = mode
    this.#signal = signal
  }

  /** How many entries are with a worker. */
  get out(): number {
    return this.#out
  }

  /** @returns undefined when there is nothing to do at this moment */
  async next(): Promise<Entry | undefined> {
    if (this.#isClosed()) return undefined
    if (this.#mustPlan()) await this.#planOnce()
    // Another worker may have found the receiver gone, or be on its way to find out.
    if (this.#isClosed()) return undefined
    const { outbox, memory } = this.#shipping
    const entry = this.#queue.shift()
    if (!entry) return undefined
    // A receipt that a stick brought is being settled, or was, since the queue was made.
    if (outbox.inFlight.has(entry.id)) return await this.next()
    if (outbox.receiptOf(entry.id)?.sha256 === entry.sha256 && !(await outbox.find(entry.id))) return await this.next()
    if (memory.hold.failures > 0) this.#probe = entry
    this.#out += 1
    outbox.markInFlight(entry.id)
    return entry
  }

  /** The worker has done with it. */
  ended(entry: Entry): void {
    this.#out -= 1
    if (this.#probe === entry) this.#probe = undefined
  }

  /** The receiver has answered: nobody goes alone any more. */
  reached(): void {
    this.#probe = undefined
  }

  #isClosed(): boolean {
    const { memory, now } = this.#shipping
    return this.#probe !== undefined || (this.#mode === 'due' && isHeld(memory.hold, now()))
  }

  /** A person's pass tries each entry once; a daemon's goes on as long as there is something. */
  #mustPlan(): boolean {
    if (this.#planned === Number.NEGATIVE_INFINITY) return true
    return this.#mode === 'due' && performance.now() - this.#planned >= (this.#queue.length > 0 ? 2 * planEvery : planEvery)
  }

  #planOnce(): Promise<void> {
    this.#planning ??= this.#plan().finally(() => {
      this.#planning = undefined
    })
    return this.#planning
  }

  async #plan(): Promise<void> {
    const { outbox, memory, now, wanted } = this.#shipping
    if (performance.now() - this.#rearmed >= rearmEvery) {
      await rearm(this.#shipping, this.#signal)
      this.#rearmed = performance.now()
    }
    const since = ({ id }: Entry) => {
      const at = outbox.packedOf(id)?.at
      return at === undefined ? undefined : Date.parse(at)
    }
    const entries = await outbox.entries()
    this.#queue = planPass(entries, memory.hold, now(), this.#mode, outbox.inFlight, since, wanted()).queue
    this.#planned = performance.now()
  }
}
