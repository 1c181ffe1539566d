/** Kills the receiver at chosen moments: mostly while it serves, sometimes in the middle of its start. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChaosProxy } from '../../test/support/chaos-proxy.ts'
import type { Random } from '../../test/support/seeded.ts'
import type { SoakPlace } from './place.ts'
import { SoakReceiver } from './receiver.ts'

/** Of all kills those that do not wait until it listens. */
const hasty = 0.1
/** However late it is and however slow the machine, each life gets something done, or this long. */
const mostIdleMs = 10_000

export class Nemesis {
  kills = 0
  /** Milliseconds from "begin" to "listening". */
  readonly starts: number[] = []
  /** Sums of what recovery had to do. */
  readonly recovered: Record<string, number> = {}
  /** What the receiver said at ERROR or above, and ends that nobody asked for. */
  readonly complaints: string[] = []
  readonly #place: SoakPlace
  readonly #proxy: ChaosProxy
  #up = Promise.withResolvers<void>()
  #current: SoakReceiver | undefined
  #next: SoakReceiver

  constructor(place: SoakPlace, proxy: ChaosProxy) {
    this.#place = place
    this.#proxy = proxy
    this.#next = this.#load()
  }

  /** Starts the receiver that is loaded, and waits until it listens. */
  async start(): Promise<void> {
    const receiver = await this.#begin()
    const began = performance.now()
    this.#proxy.aimAt(await receiver.listening)
    this.starts.push(performance.now() - began)
    this.#up.resolve()
    // Not before: the start should have the processors for itself.
    this.#next = this.#load()
  }

  /** Resolves when a receiver listens; at once while one does. */
  up(): Promise<void> {
    return this.#up.promise
  }

  /**
   * Kills `count` times, evenly over `ms` milliseconds or longer if need be, and leaves a running receiver.
   * @param progress grows with each request that is acknowledged
   */
  async rage(count: number, ms: number, progress: () => number, random: Random, signal: AbortSignal): Promise<void> {
    const began = performance.now()
    for (let k = 1; k <= count && !signal.aborted; k++) {
      const due = began + (ms * (k - random() * 0.5)) / count
      await this.#serve(Math.max(due, performance.now() + ms / count / 2), progress, signal)
      await this.#kill()
      if (random() < hasty) {
        await this.#begin()
        this.#next = this.#load()
        await sleep(random() * 150)
        await this.#kill()
      }
      await this.start()
    }
  }

  /** The last recovery, on a line that is whole. */
  async recover(): Promise<void> {
    await this.#kill()
    await this.start()
  }

  /** Asks it to end. @returns its exit code or the signal's name */
  async stop(): Promise<number | string> {
    await this.#next.end('SIGKILL')
    const ending = await this.#current?.end('SIGINT')
    return ending?.code ?? ending?.signal ?? 'not running'
  }

  async #begin(): Promise<SoakReceiver> {
    const receiver = this.#next
    await receiver.start()
    this.#current = receiver
    return receiver
  }

  /** Until `due`, and until something is acknowledged. */
  async #serve(due: number, progress: () => number, signal: AbortSignal): Promise<void> {
    const before = progress()
    const patience = performance.now() + mostIdleMs
    const early = () => performance.now() < due || (progress() === before && performance.now() < patience)
    while (early() && !signal.aborted)
      await sleep(Math.max(10, due - performance.now()), undefined, { signal }).catch(() => undefined)
  }

  async #kill(): Promise<void> {
    this.#up = Promise.withResolvers()
    const { code } = (await this.#current?.end('SIGKILL')) ?? { code: null }
    if (code !== null) this.complaints.push(`the receiver ended by itself with ${code}`)
    this.kills += 1
  }

  #load(): SoakReceiver {
    return SoakReceiver.load(this.#place.receiverConfig, this.#place.logs, (row) => this.#heard(row))
  }

  #heard(row: Record<string, unknown>): void {
    if (row['event'] === 'recovered')
      for (const [what, count] of Object.entries(row))
        if (typeof count === 'number' && what !== 'priority') this.recovered[what] = (this.recovered[what] ?? 0) + count
    if (row['level'] === 'error' || row['level'] === 'fatal') this.complaints.push(JSON.stringify(row))
  }
}
