/** A time as the receiver writes it, `2026-11-21T02:59:59.999Z`, read from bytes. The calendar is asked once a minute of the log, not once a row. */
import { digitsAt } from './row-bytes.ts'
import { parseTime } from './time.ts'

const colon = 0x3a
const point = 0x2e
const zulu = 0x5a

export class CanonicalTime {
  static readonly length = 24
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** The 16 characters up to the minute that were read last, and what they mean. */
  readonly #prefix = new Int32Array(4)
  #minute = Number.NaN

  constructor(bytes: Uint8Array, view: DataView) {
    this.#bytes = bytes
    this.#view = view
  }

  /** @returns epoch milliseconds, as `parseTime` gives them; NaN where no such time stands */
  at(from: number): number {
    const bytes = this.#bytes
    if (bytes[from + 16] !== colon || bytes[from + 19] !== point || bytes[from + 23] !== zulu) return Number.NaN
    const seconds = digitsAt(bytes, from + 17, 2)
    if (seconds > 59) return Number.NaN
    if (!this.#isSameMinute(from)) this.#readMinute(from)
    return this.#minute + seconds * 1000 + digitsAt(bytes, from + 20, 3)
  }

  #isSameMinute(from: number): boolean {
    const prefix = this.#prefix
    for (let k = 0; k < 4; k++) if (this.#view.getInt32(from + 4 * k, true) !== prefix[k]) return false
    return true
  }

  #readMinute(from: number): void {
    for (let k = 0; k < 4; k++) this.#prefix[k] = this.#view.getInt32(from + 4 * k, true)
    const text = String.fromCharCode(...this.#bytes.subarray(from, from + 16))
    // Its last moment, because the first one of 24:00 is a time and the others are not.
    this.#minute = (parseTime(`${text}:59.999Z`) ?? Number.NaN) - 59_999
  }
}
