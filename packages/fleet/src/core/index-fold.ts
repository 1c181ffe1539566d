/**
 * Folds lines of the index into the stored episodes of each host: rows of the receiver's own shape from their bytes, all others by way of the JSON parser.
 * Few rows go by the parser too: it is native code, while the reading of bytes is fast only once it was compiled, thousands of rows later.
 */

import { type Accepted, acceptedOf, canonicalHost, foldAccepted, noteAccepted } from './accepted.ts'
import { CanonicalRow } from './canonical-row.ts'
import type { Row } from './host-row.ts'
import { HostTable } from './host-table.ts'
import { eachRow, longestLine, rowIn } from './lines.ts'
import { limited, type TimeLimit } from './time.ts'

interface Host {
  readonly name: string
  /** Taken from the map once: the table spares the look-up of each further row. */
  accepted: Accepted | undefined
}

const newline = 0x0a
/** Bytes of a block up to which nothing is won by reading them one by one. */
const fewBytes = 1 << 20

/** The map must not be changed by others between two calls. */
export class IndexFold {
  /** Lines that are no rows. */
  skipped = 0
  readonly #accepted: Map<string, Accepted>
  readonly #hosts = new HostTable<Host>((text) => {
    const name = canonicalHost(text)
    return name === undefined ? undefined : { name, accepted: undefined }
  })
  readonly #few: number
  #bytes: Uint8Array | undefined
  #row!: CanonicalRow

  /**
   * @param accepted changed in place
   * @param few bytes of a block up to which its rows go by the parser
   */
  constructor(accepted: Map<string, Accepted>, few = fewBytes) {
    this.#accepted = accepted
    this.#few = few
  }

  /** @param bytes complete lines up to `end`, and `slack` readable bytes behind it */
  take(bytes: Uint8Array, end: number, limit: TimeLimit): void {
    if (end > this.#few) this.#takeMany(bytes, end, limit)
    else eachRow(bytes, end, (row) => this.#takeRow(row, limit))
  }

  #takeMany(bytes: Uint8Array, end: number, limit: TimeLimit): void {
    if (bytes !== this.#bytes) this.#row = new CanonicalRow(bytes)
    this.#bytes = bytes
    const row = this.#row
    for (let from = 0; from < end; ) {
      const next = row.read(from)
      if (next > from && next - from <= longestLine && this.#note(row, limit)) from = next
      else from = this.#takeOther(bytes, from, limit)
    }
  }

  /** @returns false: the host is none that the receiver writes */
  #note(row: CanonicalRow, limit: TimeLimit): boolean {
    const host = this.#hosts.find(row.view, row.hostFrom, row.hostTo)
    if (!host) return false
    const at = limited(row.receivedAt, limit)
    if (at === undefined) return true
    host.accepted ??= acceptedOf(this.#accepted, host.name, at)
    noteAccepted(host.accepted, at, row.stamped)
    return true
  }

  /** @returns where the next line starts */
  #takeOther(bytes: Uint8Array, from: number, limit: TimeLimit): number {
    const to = bytes.indexOf(newline, from)
    if (to > from) this.#takeRow(rowIn(bytes, from, to), limit)
    return to + 1
  }

  #takeRow(row: Row | undefined, limit: TimeLimit): void {
    if (!row || foldAccepted(this.#accepted, row, limit) === 'garbage') this.skipped += 1
  }
}
