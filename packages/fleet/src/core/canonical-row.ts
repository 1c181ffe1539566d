/**
 * The shape in which the receiver writes a row of the index: these keys in this order, without spaces, escapes and characters beyond ASCII.
 * Only what the facts need is taken out of it. Whatever differs in a single byte is left to the JSON parser, so that this can be faster
 * than the parser and never of another opinion.
 *
 * This runs for each of millions of rows, so it is written out: no loops over keys, no calls that the compiler does not dissolve.
 */
import { CanonicalTime } from './canonical-time.ts'
import * as rowBytes from './row-bytes.ts'

// The compiler looks again at each use of what is imported, and trusts a constant.
const { eightsOf, endOfDigits, endOfText, foursOf, hasEight, hasFour, isHexLike } = rowBytes

const [id0, id1] = foursOf('{"id":"')
const [host0, host1] = eightsOf('","host":"')
const [sha0, sha1] = eightsOf('","sha256":"')
const [size0, size1] = eightsOf('","bytes":')
const [commit0, commit1] = eightsOf(',"commit":"')
const [received0, received1] = eightsOf(',"received_at":"')
const [gate0, gate1, gate2] = eightsOf(',"gate_position":')
const [verdict0, verdict1] = eightsOf(',"verdict":"')
const [schema0, schema1, schema2] = eightsOf(',"schema_version":"')
const [dirty0, dirty1] = eightsOf(',"dirty":true')
const [clean0, clean1] = eightsOf(',"dirty":false')
const [print0, print1, print2] = eightsOf(',"cert_fingerprint":"')
const [agent0, agent1, agent2] = eightsOf(',"agent_version":"')
const [seq0, seq1] = foursOf(',"seq":')
const [prev0, prev1] = eightsOf(',"prev":"')

const quote = 0x22
/** As one little-endian word. */
const quoteAndBrace = 0x7d22
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
  /** The bytes, for who looks the host up. */
  readonly view: DataView
  readonly #time: CanonicalTime

  /** @param bytes with `slack` readable bytes behind the last newline */
  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#time = new CanonicalTime(bytes, this.view)
  }

  /** @returns where the next row starts, or -1: the row has another shape, and the fields mean nothing */
  read(from: number): number {
    const facts = this.#facts(from)
    const circumstances = facts === none ? none : this.#circumstances(facts)
    return circumstances === none ? none : this.#chain(circumstances)
  }

  /** From `id` to `received_at`, which every row has, but for the commit. */
  #facts(from: number): number {
    const view = this.view
    if (!(hasFour(view, from, id0) && hasFour(view, from + 3, id1))) return none
    let at = endOfText(view, from + 7)
    if (!(hasEight(view, at, host0) && hasEight(view, at + 2, host1))) return none
    this.hostFrom = at + 10
    at = endOfText(view, at + 10)
    this.hostTo = at
    if (!(hasEight(view, at, sha0) && hasEight(view, at + 4, sha1) && isHexLike(view, at + 12, 64))) return none
    at += 76
    if (!(hasEight(view, at, size0) && hasEight(view, at + 2, size1))) return none
    const digits = at + 10
    at = endOfDigits(view, digits)
    if (at === digits) return none
    this.stamped = hasEight(view, at, commit0)
    if (this.stamped) {
      // A git hash has 40 or 64 digits.
      if (!(hasEight(view, at + 3, commit1) && isHexLike(view, at + 11, 40))) return none
      at += 51
      if (view.getUint8(at) !== quote && isHexLike(view, at, 24)) at += 24
      if (view.getUint8(at) !== quote) return none
      at += 1
    }
    if (!(hasEight(view, at, received0) && hasEight(view, at + 8, received1))) return none
    at += 16
    this.receivedAt = this.#time.at(at)
    at += CanonicalTime.length
    return Number.isNaN(this.receivedAt) || view.getUint8(at) !== quote ? none : at + 1
  }

  /** What may be left out. A key that begins like one of these and goes on otherwise is none that the receiver writes. */
  #circumstances(from: number): number {
    const view = this.view
    let at = from
    if (hasEight(view, at, gate0) && hasEight(view, at + 8, gate1) && hasEight(view, at + 9, gate2)) {
      const digits = at + 17
      at = endOfDigits(view, digits)
      if (at === digits) return none
    }
    if (hasEight(view, at, verdict0) && hasEight(view, at + 4, verdict1)) {
      at = endOfText(view, at + 12)
      if (view.getUint8(at++) !== quote) return none
    }
    if (hasEight(view, at, schema0) && hasEight(view, at + 8, schema1) && hasEight(view, at + 11, schema2)) {
      at = endOfText(view, at + 19)
      if (view.getUint8(at++) !== quote) return none
    }
    if (hasEight(view, at, clean0) && hasEight(view, at + 6, clean1)) at += 14
    else if (hasEight(view, at, dirty0) && hasEight(view, at + 5, dirty1)) at += 13
    if (hasEight(view, at, print0) && hasEight(view, at + 8, print1) && hasEight(view, at + 13, print2)) {
      if (!isHexLike(view, at + 21, 64)) return none
      at += 85
      if (view.getUint8(at++) !== quote) return none
    }
    if (hasEight(view, at, agent0) && hasEight(view, at + 8, agent1) && hasEight(view, at + 10, agent2)) {
      at = endOfText(view, at + 18)
      if (view.getUint8(at++) !== quote) return none
    }
    return at
  }

  /** `seq` and `prev`, which end every row. */
  #chain(from: number): number {
    const view = this.view
    if (!(hasFour(view, from, seq0) && hasFour(view, from + 3, seq1))) return none
    const at = endOfDigits(view, from + 7)
    if (at === from + 7) return none
    if (!(hasEight(view, at, prev0) && hasEight(view, at + 1, prev1) && isHexLike(view, at + 9, 64))) return none
    const end = at + 73
    return view.getUint16(end, true) === quoteAndBrace && view.getUint8(end + 2) === newline ? end + 3 : none
  }
}
