/**
 * The shape in which the receiver writes a row of the index: these keys in this order, without spaces, escapes and characters beyond ASCII.
 * Only what the facts need is taken out of it. Whatever differs in a single byte is left to the JSON parser, so that this can be faster
 * than the parser and never of another opinion.
 */
import { CanonicalTime } from './canonical-time.ts'
import { endOfDigits, endOfText, isHexLike, Literal } from './row-bytes.ts'

const id = new Literal('{"id":"')
const host = new Literal('","host":"')
const sha256 = new Literal('","sha256":"')
const size = new Literal('","bytes":')
const commit = new Literal(',"commit":"')
const receivedAt = new Literal(',"received_at":"')
const gatePosition = new Literal(',"gate_position":')
const verdict = new Literal(',"verdict":"')
const schemaVersion = new Literal(',"schema_version":"')
const dirty = new Literal(',"dirty":true')
const clean = new Literal(',"dirty":false')
const fingerprint = new Literal(',"cert_fingerprint":"')
const agentVersion = new Literal(',"agent_version":"')
const seq = new Literal(',"seq":')
const prev = new Literal(',"prev":"')

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
    let at = this.#names(from)
    if (at !== none) at = this.#body(at)
    if (at !== none) at = this.#moment(at)
    if (at !== none) at = this.#circumstances(at)
    return at === none ? none : this.#chain(at)
  }

  #names(from: number): number {
    if (!id.isAt(this.#view, from)) return none
    const at = endOfText(this.#bytes, from + id.length)
    if (!host.isAt(this.#view, at)) return none
    this.hostFrom = at + host.length
    this.hostTo = endOfText(this.#bytes, this.hostFrom)
    return this.hostTo
  }

  #body(from: number): number {
    if (!sha256.isAt(this.#view, from) || !isHexLike(this.#view, from + sha256.length, 64)) return none
    const at = from + sha256.length + 64
    if (!size.isAt(this.#view, at)) return none
    const ended = this.#digits(at + size.length)
    if (ended === none) return none
    this.stamped = commit.isAt(this.#view, ended)
    return this.stamped ? this.#commit(ended + commit.length) : ended
  }

  /** A git hash has 40 or 64 digits. */
  #commit(from: number): number {
    if (!isHexLike(this.#view, from, 40)) return none
    if (this.#bytes[from + 40] === quote) return from + 41
    return isHexLike(this.#view, from + 40, 24) && this.#bytes[from + 64] === quote ? from + 65 : none
  }

  #moment(from: number): number {
    if (!receivedAt.isAt(this.#view, from)) return none
    const at = from + receivedAt.length
    this.receivedAt = this.#time.at(at)
    return Number.isNaN(this.receivedAt) || this.#bytes[at + CanonicalTime.length] !== quote
      ? none
      : at + CanonicalTime.length + 1
  }

  /** What may be left out. */
  #circumstances(from: number): number {
    const view = this.#view
    let at = from
    if (gatePosition.isAt(view, at)) at = this.#digits(at + gatePosition.length)
    if (at !== none && verdict.isAt(view, at)) at = this.#text(at + verdict.length)
    if (at !== none && schemaVersion.isAt(view, at)) at = this.#text(at + schemaVersion.length)
    if (at === none) return none
    if (dirty.isAt(view, at)) at += dirty.length
    else if (clean.isAt(view, at)) at += clean.length
    if (fingerprint.isAt(view, at)) at = this.#hash(at + fingerprint.length)
    return at !== none && agentVersion.isAt(view, at) ? this.#text(at + agentVersion.length) : at
  }

  #chain(from: number): number {
    if (!seq.isAt(this.#view, from)) return none
    const at = this.#digits(from + seq.length)
    if (at === none || !prev.isAt(this.#view, at) || !isHexLike(this.#view, at + prev.length, 64)) return none
    return this.#end(at + prev.length + 64)
  }

  #end(at: number): number {
    const bytes = this.#bytes
    return bytes[at] === quote && bytes[at + 1] === brace && bytes[at + 2] === newline ? at + 3 : none
  }

  #digits(from: number): number {
    const at = endOfDigits(this.#bytes, from)
    return at === from ? none : at
  }

  #text(from: number): number {
    const at = endOfText(this.#bytes, from)
    return this.#bytes[at] === quote ? at + 1 : none
  }

  #hash(from: number): number {
    return isHexLike(this.#view, from, 64) && this.#bytes[from + 64] === quote ? from + 65 : none
  }
}
