/** A time as the receiver writes it, `2026-11-21T02:59:59.999Z`, read from bytes. The calendar is asked once an hour of the index, not once a row. */
import * as rowBytes from './row-bytes.ts'
import { parseTime } from './time.ts'

/** `2026-11-21T02`, looked at as two words of 8 bytes, which overlap. */
const hourLength = 13
const secondWord = hourLength - 8

// Constants, as in `canonical-row.ts`: the compiler trusts them.
const { foursOf, hasEight } = rowBytes

const [minuteZero] = foursOf(':00:')
const [secondZero] = foursOf(':00.')
const [msZero] = foursOf('000Z')

export class CanonicalTime {
  static readonly length = 24
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** The hour that was read last, and when it begins; NaN equals no word. */
  #word0 = Number.NaN
  #word1 = Number.NaN
  #hour = Number.NaN

  constructor(bytes: Uint8Array, view: DataView) {
    this.#bytes = bytes
    this.#view = view
  }

  /** @returns epoch milliseconds, as `parseTime` gives them; NaN where no such time stands */
  at(from: number): number {
    const view = this.#view
    // Where the character is right, zero is left of it; of a digit its value. One step above the highest that may be, bit 7 is set.
    const minute = view.getInt32(from + 13, true) ^ minuteZero
    const second = view.getInt32(from + 16, true) ^ secondZero
    const ms = view.getInt32(from + 20, true) ^ msZero
    const over = (minute + 0x7f767a7f) | (second + 0x7f767a7f) | (ms + 0x7f767676) | minute | second | ms
    if ((over & 0x80808080) !== 0) return Number.NaN
    if (!(hasEight(view, from, this.#word0) && hasEight(view, from + secondWord, this.#word1))) this.#readHour(from)
    return this.#hour + pairIn(minute) * 60_000 + pairIn(second) * 1000 + (ms & 15) * 100 + pairIn(ms)
  }

  #readHour(from: number): void {
    const text = String.fromCharCode(...this.#bytes.subarray(from, from + hourLength))
    // Its last moment, because the first one of hour 24 is a time and the others are not.
    const end = parseTime(`${text}:59:59.999Z`)
    this.#hour = end === undefined ? Number.NaN : end - 3_599_999
    this.#word0 = end === undefined ? Number.NaN : this.#view.getFloat64(from, true)
    this.#word1 = this.#view.getFloat64(from + secondWord, true)
  }
}

/** The number that the two digits in the middle write. */
const pairIn = (digits: number): number => ((digits >>> 8) & 15) * 10 + ((digits >>> 16) & 15)
