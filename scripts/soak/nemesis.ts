/** Kills the receiver at chosen moments: at every age, from the middle of its start to long after all its code is warm. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChaosProxy } from '../../test/support/chaos-proxy.ts'
import type { Random } from '../../test/support/seeded.ts'
import { drawPlaces, nextLife } from './lives.ts'
import type { SoakPlace } from './place.ts'
import { type LifeCost, SoakReceiver } from './receiver.ts'

/** So many kills are followed by one that does not wait until it listens. */
const hasty = 0.15
/** Of the other ones those that do not wait until something was acknowledged either. */
const fruitless = 0.25
/** However slow the machine, a life that has to get something done gets this long. */
const mostIdleMs = 10_000
/** Receivers that are loaded while another one serves, so that a row of short lives does not wait for the reading of code. */
const stock = 6

export class Nemesis {
  kills = 0
  /** Milliseconds from "begin" to "listening". */
  readonly starts: number[] = []
  /** Sums of what recovery had to do. */
  readonly recovered: Record<string, number> = {}
  /** What the receiver said at ERROR or above, and ends that nobody asked for. */
  readonly complaints: string[] = []
  /** Processor seconds of all receivers that were begun. */
  readonly cpu: Record<keyof LifeCost, number> = { load: 0, start: 0, serve: 0 }
  readonly #place: SoakPlace
  readonly #proxy: ChaosProxy
  #up = Promise.withResolvers<void>()
  #current: SoakReceiver | undefined
  /** Loaded, or being loaded: the last ones. */
  readonly #next: SoakReceiver[] = []
  #loading = 0
  /** Starts that are still to come. */
  #toCome: number
  #over = false

  /** @param kills that will be asked for */
  constructor(place: SoakPlace, proxy: ChaosProxy, kills: number) {
    this.#place = place
    this.#proxy = proxy
    // The first one, one after each kill, and the last recovery.
    this.#toCome = kills + 2
    this.#load()
  }

  /** Starts the receiver that is loaded, and waits until it listens. */
  async start(): Promise<void> {
    const receiver = await this.#begin()
    const began = performance.now()
    this.#proxy.aimAt(await withinReach(receiver.listening))
    this.starts.push(performance.now() - began)
    this.#up.resolve()
  }

  /** Resolves when a receiver listens; at once while one does. */
  up(): Promise<void> {
    return this.#up.promise
  }

  /**
   * Kills `count` times within `ms` milliseconds, or longer if need be, and leaves a running receiver.
   * @param progress grows with each request that is acknowledged
   */
  async rage(count: number, ms: number, progress: () => number, random: Random, signal: AbortSignal): Promise<void> {
    const began = performance.now()
    const places = drawPlaces(count, random)
    let lived = 0
    const last = this.kills + count
    for (let k = 0; this.kills < last && !signal.aborted; k++) {
      const spent = performance.now() - began
      // What deaths and starts have cost so far, those to come will cost too.
      const left = places.slice(k, k + last - this.kills)
      const between = k === 0 ? 0 : ((spent - lived) / k) * left.length
      const life = nextLife(left, ms - spent - between)
      const patience = random() < fruitless ? 0 : mostIdleMs
      await this.#serve(life, patience, progress, signal)
      lived += life
      await this.#kill()
      if (random() < hasty && this.kills < last) {
        await this.#begin()
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
    this.#over = true
    for (const one of this.#next) await one.end('SIGKILL')
    const current = this.#current
    if (!current) return 'not running'
    this.#count(current)
    const { code, signal } = await current.end('SIGINT')
    return code ?? signal ?? 'not running'
  }

  async #begin(): Promise<SoakReceiver> {
    if (this.#next.length === 0) this.#load()
    const receiver = this.#next.shift() as SoakReceiver
    this.#toCome -= 1
    this.#load()
    await receiver.start()
    this.#current = receiver
    return receiver
  }

  /** For so long, and until something is acknowledged unless patience ends before. */
  async #serve(ms: number, patienceMs: number, progress: () => number, signal: AbortSignal): Promise<void> {
    const before = progress()
    const began = performance.now()
    const lived = () => performance.now() - began
    while (!signal.aborted && (lived() < ms || (progress() === before && lived() < patienceMs)))
      await sleep(Math.max(5, ms - lived()), undefined, { signal }).catch(() => undefined)
  }

  async #kill(): Promise<void> {
    this.#up = Promise.withResolvers()
    if (this.#current) this.#count(this.#current)
    const before = await Promise.race([this.#current?.ended, Promise.resolve(undefined)])
    if (before) this.complaints.push(`the receiver ended by itself with ${before.code ?? before.signal}`)
    await this.#current?.end('SIGKILL')
    this.kills += 1
  }

  #count(receiver: SoakReceiver): void {
    const { load, start, serve } = receiver.cost()
    this.cpu.load += load
    this.cpu.start += start
    this.cpu.serve += serve
  }

  /** One more, and when it is loaded the next one, until there are enough. One at a time leaves the other ones a processor; two where nobody else works. */
  #load(): void {
    const ready = this.#next.length - this.#loading
    if (this.#over || this.#next.length >= Math.min(stock, this.#toCome) || this.#loading >= (ready > 0 ? 1 : 2)) return
    this.#loading += 1
    const receiver = SoakReceiver.load(this.#place.receiverConfig, this.#place.logs, (row) => this.#heard(row))
    this.#next.push(receiver)
    const done = () => {
      this.#loading -= 1
      this.#load()
    }
    receiver.loaded.then(done, done)
  }

  #heard(row: Record<string, unknown>): void {
    if (row['event'] === 'recovered')
      for (const [what, count] of Object.entries(row))
        if (typeof count === 'number' && what !== 'priority') this.recovered[what] = (this.recovered[what] ?? 0) + count
    if (row['level'] === 'error' || row['level'] === 'fatal') this.complaints.push(JSON.stringify(row))
  }
}

const longestStartMs = 60_000

/** @throws Error for a start that takes for ever */
async function withinReach(listening: Promise<string>): Promise<string> {
  const { promise: never, reject } = Promise.withResolvers<string>()
  const late = setTimeout(
    () => reject(new Error(`the receiver did not listen within ${longestStartMs / 1000} s`)),
    longestStartMs,
  )
  return await Promise.race([listening, never]).finally(() => clearTimeout(late))
}
