/** One direction of a proxied connection: passes bytes on, stops exactly at marks, and can be stalled, emptied or narrowed. */
import type { Socket } from 'node:net'

export interface LaneWatch {
  /** Byte counts, ascending, at which `reached` is called with the mark's number. */
  readonly marks: readonly number[]
  passed(bytes: number): void
  reached(mark: number): void
}

export class Lane {
  readonly #from: Socket
  readonly #to: Socket
  readonly #watch: LaneWatch
  #waiting: Buffer[] = []
  #passed = 0
  #mark = 0
  #state: 'open' | 'stalled' | 'swallows' | 'ended' = 'open'
  #fromEnded = false
  #full = false
  #step: { bytes: number; everyMs: number } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, watch: LaneWatch) {
    this.#from = from
    this.#to = to
    this.#watch = watch
  }

  start(): void {
    this.#from.on('data', (chunk) => {
      this.#waiting.push(chunk)
      this.#pump()
    })
    this.#from.on('end', () => {
      this.#fromEnded = true
      this.#pump()
    })
    this.#to.on('drain', () => {
      this.#full = false
      this.#pump()
    })
    this.#to.on('close', () => clearTimeout(this.#timer))
    this.#pump()
  }

  stall(): void {
    this.#state = 'stalled'
  }

  release(): void {
    if (this.#state !== 'stalled') return
    this.#state = 'open'
    this.#pump()
  }

  swallow(): void {
    this.#state = 'swallows'
  }

  end(): void {
    this.#state = 'ended'
    this.#to.end()
  }

  trickle(bytes: number, everyMs: number): void {
    this.#step = { bytes, everyMs }
  }

  #pump(): void {
    while (this.#reachMark()) {
      // A mark may be followed by another one at the same byte.
    }
    while (this.#mayPass()) {
      this.#pass(this.#take())
      while (this.#reachMark()) {
        // As above.
      }
    }
    if (this.#state === 'swallows' || this.#state === 'ended') this.#waiting = []
    if (this.#fromEnded && this.#waiting.length === 0 && this.#state === 'open') this.end()
    if (this.#waiting.length > 0 || this.#state === 'stalled') this.#from.pause()
    else this.#from.resume()
  }

  #mayPass(): boolean {
    return this.#state === 'open' && !this.#full && this.#timer === undefined && this.#waiting.length > 0 && this.#to.writable
  }

  #reachMark(): boolean {
    if (this.#watch.marks[this.#mark] !== this.#passed) return false
    this.#watch.reached(this.#mark++)
    return true
  }

  /** No more than up to the next mark, and no more than a trickle lets through. */
  #take(): Buffer {
    const first = this.#waiting[0] as Buffer
    const toMark = (this.#watch.marks[this.#mark] ?? Number.POSITIVE_INFINITY) - this.#passed
    const most = Math.min(toMark, this.#step?.bytes ?? Number.POSITIVE_INFINITY)
    if (first.length <= most) return this.#waiting.shift() as Buffer
    this.#waiting[0] = first.subarray(most)
    return first.subarray(0, most)
  }

  #pass(bytes: Buffer): void {
    this.#passed += bytes.length
    this.#watch.passed(bytes.length)
    this.#full = !this.#to.write(bytes)
    if (!this.#step) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, this.#step.everyMs)
  }
}
