/** A time as the receiver writes it, `2026-11-21T02:59:59.999Z`, read from bytes. The calendar is asked once an hour of the index, not once a row. */
import { digitsAt } from './row-bytes.ts'
import { parseTime } from './time.ts'

const colon = 0x3a
const point = 0x2e
const zulu = 0x5a

/** `2026-11-21T02` as four words, of which the last overlaps. */
const hourLength = 13
const hourWords = [0, 4, 8, 9] as const

export class CanonicalTime {
  static readonly length = 24
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** The hour that was read last, and when it begins. */
  readonly #words = new Int32Array(4)
  #hour = Number.NaN

  constructor(bytes: Uint8Array, view: DataView) {
    this.#bytes = bytes
    this.#view = view
  }

  /** @returns epoch milliseconds, as `parseTime` gives them; NaN where no such time stands */
  at(from: number): number {
    const bytes = this.#bytes
    if (bytes[from + 13] !== colon || bytes[from + 16] !== colon || bytes[from + 19] !== point || bytes[from + 23] !== zulu)
      return Number.NaN
    const minutes = digitsAt(bytes, from + 14, 2)
    const seconds = digitsAt(bytes, from + 17, 2)
    const ms = digitsAt(bytes, from + 20, 3)
    if (!(minutes <= 59 && seconds <= 59 && ms <= 999)) return Number.NaN
    if (!this.#isSameHour(from)) this.#readHour(from)
    return this.#hour + minutes * 60_000 + seconds * 1000 + ms
  }

  #isSameHour(from: number): boolean {
    const words = this.#words
    const view = this.#view
    return (
      view.getInt32(from, true) === words[0] &&
      view.getInt32(from + 4, true) === words[1] &&
      view.getInt32(from + 8, true) === words[2] &&
      view.getInt32(from + 9, true) === words[3]
    )
  }

  #readHour(from: number): void {
    for (const [k, at] of hourWords.entries()) this.#words[k] = this.#view.getInt32(from + at, true)
    const text = String.fromCharCode(...this.#bytes.subarray(from, from + hourLength))
    // Its last moment, because the first one of hour 24 is a time and the others are not.
    this.#hour = (parseTime(`${text}:59:59.999Z`) ?? Number.NaN) - 3_599_999
  }
}
