/** The index as it lies on disk: which row speaks of which episode, and where the chain is broken. */
import { stat } from 'node:fs/promises'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { firstPrev, IndexRow } from '@cis490/shared/receipt.ts'
import type { RowFacts } from '../../core/episode-state.ts'
import type { Finding } from '../../core/finding.ts'
import { lineHash } from '../index-log.ts'
import { type IndexLine, readIndex } from '../index-reader.ts'
import type { EpisodeKey } from '../layout.ts'

interface Entry {
  readonly key: EpisodeKey
  readonly line: number
  /** Parsed when it is asked for: a million rows as objects would not fit. */
  readonly text: string
  confirmed: boolean | undefined
}

export class IndexPicture {
  readonly findings: Finding[] = []
  readonly #path: string
  readonly #byKey = new Map<string, Entry[]>()
  #lines = 0
  #bytes = 0
  #prev = firstPrev
  /** By how much `seq` is ahead of the line's number: rows after a gap follow each other again. */
  #ahead = 0
  #last: Entry | undefined

  constructor(path: string) {
    this.#path = path
  }

  get lines(): number {
    return this.#lines
  }

  /** The rows cannot stay as they are. */
  get damaged(): boolean {
    return this.findings.length > 0
  }

  /** Reads what follows the lines that were read before. */
  async readOn(): Promise<void> {
    for await (const line of readIndex(this.#path, { bytes: this.#bytes, lines: this.#lines })) this.#take(line)
  }

  /** Bytes behind the last complete line. */
  async torn(): Promise<Finding | undefined> {
    const size = await stat(this.#path).then(
      (info) => info.size,
      () => 0,
    )
    if (size <= this.#bytes) return undefined
    return { kind: 'torn-tail', at: `index.jsonl:${this.#lines + 1}`, detail: `${size - this.#bytes} bytes` }
  }

  keys(): EpisodeKey[] {
    return [...this.#byKey.values()].map(([first]) => (first as Entry).key)
  }

  rowsOf({ host, id }: EpisodeKey): RowFacts[] {
    return (this.#byKey.get(`${host}/${id}`) ?? []).flatMap(({ text, line, confirmed }) => {
      const row = IndexRow.safeParse(parseObject(text)).data
      // The parsed copy has its keys in another order; the receipt is made from the line as it was written.
      return row ? [{ row: parseObject(text) as IndexRow, line, confirmed }] : []
    })
  }

  /** Rows with one of these hashes. */
  *withHash(wanted: ReadonlySet<string>): Generator<{ readonly key: EpisodeKey; readonly sha256: string }> {
    if (wanted.size === 0) return
    for (const entries of this.#byKey.values())
      for (const { key, text } of entries) {
        const sha256 = /"sha256":"([0-9a-f]{64})"/.exec(text)?.[1]
        if (sha256 !== undefined && wanted.has(sha256)) yield { key, sha256 }
      }
  }

  #take(line: IndexLine): void {
    const at = `index.jsonl:${line.number}`
    this.#lines = line.number
    this.#bytes += line.bytes.length + 1
    let entry: Entry | undefined
    if (!line.row) this.findings.push({ kind: 'damaged-row', at, detail: 'not a JSON object with an id' })
    else {
      if (this.#last && line.row.prev !== undefined) this.#last.confirmed = line.row.prev === this.#prev
      const fault = this.#chainFault(line.row, line.number)
      if (fault) this.findings.push({ kind: 'broken-chain', at, detail: fault })
      entry = this.#note(line.row, line, at)
    }
    this.#prev = lineHash(line.bytes)
    this.#last = entry
  }

  /** Rows of an older receiver have neither seq nor prev; the first of ours names the last of them. */
  #chainFault(row: IndexRow, line: number): string | undefined {
    if (row.seq === undefined && row.prev === undefined) return undefined
    if (row.seq === undefined) return 'prev without seq'
    const expected = line + this.#ahead
    this.#ahead = row.seq - line
    if (row.seq !== expected) return `seq ${row.seq} where ${expected} follows`
    return row.prev === this.#prev ? undefined : 'prev is not the hash of the line before'
  }

  #note(row: IndexRow, line: IndexLine, at: string): Entry | undefined {
    const host = HostName.safeParse(row.host).data
    const id = EpisodeId.safeParse(row.id).data
    // An older receiver's row without a host cannot name a file of this store; `backfill --adopt` gives it one that can.
    if (host === undefined || id === undefined || host !== row.host) return undefined
    const entry: Entry = { key: { host, id }, line: line.number, text: line.text, confirmed: undefined }
    const known = this.#byKey.get(`${host}/${id}`)
    if (known) {
      known.push(entry)
      this.findings.push({ kind: 'duplicate-row', at, detail: `${host}/${id}`, key: { host, id } })
    } else this.#byKey.set(`${host}/${id}`, [entry])
    return entry
  }
}
