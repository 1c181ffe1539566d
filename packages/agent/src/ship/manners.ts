/** The pace of this host: rate limit, windows, pause and pressure, asked anew every second while a body runs. */
import { setTimeout as wait } from 'node:timers/promises'
import { type InForce, lowerRate, nothingAsked } from '../core/directives.ts'
import { type Circumstances, judgeManners, judgePacking, type Manner, type Pause } from '../core/manners.ts'
import { calm, nextPressure, type Pressure, type PressureState } from '../core/pressure.ts'
import { type Bucket, debtMs, fullBucket, pieceAt, takeTokens } from '../core/token-bucket.ts'
import { isAllowed, type LocalTime, type Window } from '../core/windows.ts'
import type { Pace } from './pace.ts'

export interface MannersOptions {
  /** Bytes a second over all transfers together; 0: no limit. */
  readonly rate: number
  readonly windows: readonly Window[]
  readonly limits: Pressure
  readonly local: (ms: number) => LocalTime
  readonly readPause: () => Pause | undefined
  readonly readPressure: () => Pressure | undefined
  /** What the receiver asks for. */
  readonly directives?: () => InForce
  /** Is a recording being written? */
  readonly recording: () => boolean
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly steady: () => number
  /** Told when waiting begins, ends, or gets another reason. */
  readonly onChange: (manner: Manner) => void
}

/** Of transfers while the pressure stays high for longer than anybody waits. */
const slowRate = 256 * 1024
const lookEvery = 1000
/** No body stands still for longer. */
const longestPause = 10_000
const longestPiece = 64 * 1024

export class Manners implements Pace {
  readonly #options: MannersOptions
  #bucket: Bucket | undefined
  #pressure: PressureState = calm
  #looked: { at: number; circumstances: Circumstances } | undefined
  #told = ''

  constructor(options: MannersOptions) {
    this.#options = options
  }

  /** Bytes to ask for at once, so that no wait is long. */
  get piece(): number {
    return pieceAt(this.#rate(), longestPiece)
  }

  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const rate = this.#rate()
    if (rate === 0) return
    const now = this.#options.steady()
    const { bucket, waitMs } = takeTokens(this.#bucket ?? fullBucket(rate, now), bytes, rate, now)
    this.#bucket = bucket
    await sleep(Math.min(waitMs, longestPause), signal)
  }

  mustYield(): boolean {
    return this.manner().go === 'wait' || this.#owed() > longestPause
  }

  async whenAllowed(signal: AbortSignal): Promise<void> {
    for (;;) {
      const owed = this.manner().go === 'wait' ? lookEvery : Math.max(0, this.#owed() - longestPause / 2)
      if (owed === 0 || signal.aborted) return
      await sleep(Math.min(owed, lookEvery), signal)
    }
  }

  /** The same for packing, between two pieces of a file: only a recording is waited for. */
  async whenCalm(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && isPressure(judgePacking(this.#look()))) await sleep(lookEvery, signal)
  }

  /** How shipping stands now, at most a second old. */
  manner(): Manner {
    const manner = judgeManners(this.#look())
    const told = JSON.stringify(manner)
    if (told !== this.#told) this.#options.onChange(manner)
    this.#told = told
    return manner
  }

  mayPack(): Manner {
    return judgePacking(this.#look())
  }

  #look(): Circumstances {
    const { now, steady, windows, local, readPause, readPressure, limits, recording } = this.#options
    const at = steady()
    if (this.#looked && at - this.#looked.at < lookEvery) return this.#looked.circumstances
    this.#pressure = nextPressure(this.#pressure, readPressure(), limits, at)
    const circumstances = {
      now: now(),
      steady: at,
      pause: readPause(),
      asked: this.#asked().pause,
      insideWindow: isAllowed(windows, now(), local),
      pressure: this.#pressure,
      recording: recording(),
    }
    this.#looked = { at, circumstances }
    return circumstances
  }

  #rate(): number {
    const manner = this.manner()
    const rate = lowerRate(this.#options.rate, this.#asked().rate)
    if (manner.go === 'wait' || !manner.slowly) return rate
    return rate === 0 ? slowRate : Math.min(rate, slowRate)
  }

  #asked(): InForce {
    return this.#options.directives?.() ?? nothingAsked
  }

  #owed(): number {
    const rate = this.#rate()
    return rate === 0 || this.#bucket === undefined ? 0 : debtMs(this.#bucket, rate, this.#options.steady())
  }
}

function isPressure(manner: Manner): boolean {
  return manner.go === 'wait' && manner.reason === 'pressure'
}

async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms > 0) await wait(ms, undefined, signal ? { signal } : {}).catch(() => undefined)
}
