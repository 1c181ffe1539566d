/**
 * The shape in which the receiver writes a row of the index: these keys in this order, without spaces, escapes and characters beyond ASCII.
 * Only what the facts need is taken out of it. Whatever differs in a single byte is left to the JSON parser, so that this can be faster
 * than the parser and never of another opinion.
 *
 * This runs for each of millions of rows, so it is written out: no loops over keys, no calls that the compiler does not dissolve.
 */
import { CanonicalTime } from './canonical-time.ts'
import { endOfDigits, endOfText, hasWord, isHexLike, wordsOf } from './row-bytes.ts'

const [id0, id1] = wordsOf('{"id":"')
const [host0, host1, host2] = wordsOf('","host":"')
const [sha0, sha1, sha2] = wordsOf('","sha256":"')
const [size0, size1, size2] = wordsOf('","bytes":')
const [commit0, commit1, commit2] = wordsOf(',"commit":"')
const [received0, received1, received2, received3] = wordsOf(',"received_at":"')
const [gate0, gate1, gate2, gate3, gate4] = wordsOf(',"gate_position":')
const [verdict0, verdict1, verdict2] = wordsOf(',"verdict":"')
const [schema0, schema1, schema2, schema3, schema4] = wordsOf(',"schema_version":"')
const [dirty0, dirty1, dirty2, dirty3] = wordsOf(',"dirty":true')
const [clean0, clean1, clean2, clean3] = wordsOf(',"dirty":false')
const [print0, print1, print2, print3, print4, print5] = wordsOf(',"cert_fingerprint":"')
const [agent0, agent1, agent2, agent3, agent4] = wordsOf(',"agent_version":"')
const [seq0, seq1] = wordsOf(',"seq":')
const [prev0, prev1, prev2] = wordsOf(',"prev":"')

const quote = 0x22
const brace = 0x7d
const newline = 0x0a
const none = -1

/** One reader for all rows of a buffer: what it read last stands in its fields until the next row. */
export class CanonicalRow {
  /** Where the name of the host stands. */
  hostFrom = 0
  hostTo = 0
  /** Epoch milliseconds. */
  receivedAt = 0
  /** Whether the row names a commit. */
  stamped = false
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #time: CanonicalTime

  /** @param bytes with `slack` readable bytes behind the last newline */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#time = new CanonicalTime(bytes, this.#view)
  }

  /** @returns where the next row starts, or -1: the row has another shape, and the fields mean nothing */
  read(from: number): number {
    const facts = this.#facts(from)
    const circumstances = facts === none ? none : this.#circumstances(facts)
    return circumstances === none ? none : this.#chain(circumstances)
  }

  /** From `id` to `received_at`, which every row has, but for the commit. */
  #facts(from: number): number {
    const bytes = this.#bytes
    const view = this.#view
    if (!(hasWord(view, from, id0) && hasWord(view, from + 3, id1))) return none
    let at = endOfText(bytes, from + 7)
    if (!(hasWord(view, at, host0) && hasWord(view, at + 4, host1) && hasWord(view, at + 6, host2))) return none
    this.hostFrom = at + 10
    at = endOfText(bytes, this.hostFrom)
    this.hostTo = at
    if (!(hasWord(view, at, sha0) && hasWord(view, at + 4, sha1) && hasWord(view, at + 8, sha2))) return none
    if (!isHexLike(view, at + 12, 64)) return none
    at += 76
    if (!(hasWord(view, at, size0) && hasWord(view, at + 4, size1) && hasWord(view, at + 6, size2))) return none
    const digits = at + 10
    at = endOfDigits(bytes, digits)
    if (at === digits) return none
    this.stamped = hasWord(view, at, commit0)
    if (this.stamped) {
      // A git hash has 40 or 64 digits.
      if (!(hasWord(view, at + 4, commit1) && hasWord(view, at + 7, commit2) && isHexLike(view, at + 11, 40))) return none
      at += 51
      if (bytes[at] !== quote && isHexLike(view, at, 24)) at += 24
      if (bytes[at] !== quote) return none
      at += 1
    }
    if (
      !(
        hasWord(view, at, received0) &&
        hasWord(view, at + 4, received1) &&
        hasWord(view, at + 8, received2) &&
        hasWord(view, at + 12, received3)
      )
    )
      return none
    at += 16
    this.receivedAt = this.#time.at(at)
    at += CanonicalTime.length
    return Number.isNaN(this.receivedAt) || bytes[at] !== quote ? none : at + 1
  }

  /** What may be left out. A key that begins like one of these and goes on otherwise is none that the receiver writes. */
  #circumstances(from: number): number {
    const bytes = this.#bytes
    const view = this.#view
    let at = from
    if (
      hasWord(view, at, gate0) &&
      hasWord(view, at + 4, gate1) &&
      hasWord(view, at + 8, gate2) &&
      hasWord(view, at + 12, gate3) &&
      hasWord(view, at + 13, gate4)
    ) {
      const digits = at + 17
      at = endOfDigits(bytes, digits)
      if (at === digits) return none
    }
    if (hasWord(view, at, verdict0) && hasWord(view, at + 4, verdict1) && hasWord(view, at + 8, verdict2)) {
      at = endOfText(bytes, at + 12)
      if (bytes[at++] !== quote) return none
    }
    if (
      hasWord(view, at, schema0) &&
      hasWord(view, at + 4, schema1) &&
      hasWord(view, at + 8, schema2) &&
      hasWord(view, at + 12, schema3) &&
      hasWord(view, at + 15, schema4)
    ) {
      at = endOfText(bytes, at + 19)
      if (bytes[at++] !== quote) return none
    }
    if (
      hasWord(view, at, dirty0) &&
      hasWord(view, at + 4, dirty1) &&
      hasWord(view, at + 8, dirty2) &&
      hasWord(view, at + 9, dirty3)
    )
      at += 13
    else if (
      hasWord(view, at, clean0) &&
      hasWord(view, at + 4, clean1) &&
      hasWord(view, at + 8, clean2) &&
      hasWord(view, at + 10, clean3)
    )
      at += 14
    if (
      hasWord(view, at, print0) &&
      hasWord(view, at + 4, print1) &&
      hasWord(view, at + 8, print2) &&
      hasWord(view, at + 12, print3) &&
      hasWord(view, at + 16, print4) &&
      hasWord(view, at + 17, print5)
    ) {
      if (!isHexLike(view, at + 21, 64)) return none
      at += 85
      if (bytes[at++] !== quote) return none
    }
    if (
      hasWord(view, at, agent0) &&
      hasWord(view, at + 4, agent1) &&
      hasWord(view, at + 8, agent2) &&
      hasWord(view, at + 12, agent3) &&
      hasWord(view, at + 14, agent4)
    ) {
      at = endOfText(bytes, at + 18)
      if (bytes[at++] !== quote) return none
    }
    return at
  }

  /** `seq` and `prev`, which end every row. */
  #chain(from: number): number {
    const bytes = this.#bytes
    const view = this.#view
    if (!(hasWord(view, from, seq0) && hasWord(view, from + 3, seq1))) return none
    const at = endOfDigits(bytes, from + 7)
    if (at === from + 7) return none
    if (
      !(hasWord(view, at, prev0) && hasWord(view, at + 4, prev1) && hasWord(view, at + 5, prev2) && isHexLike(view, at + 9, 64))
    )
      return none
    const end = at + 73
    return bytes[end] === quote && bytes[end + 1] === brace && bytes[end + 2] === newline ? end + 3 : none
  }
}
