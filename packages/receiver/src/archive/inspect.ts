/** Is the stored body an episode? `head` looks at the first entry, `full` walks all of them; neither extracts anything. */
import { messageOf } from '@cis490/shared/node/errno.ts'
import { Parser, type ReadEntry } from 'tar'
import { entryFault, isMeta } from '../core/archive-entry.ts'
import { type Expected, judgeMeta } from '../core/episode-claim.ts'
import { decode } from './decode.ts'
import { NotZstd } from './frames.ts'
import { type Inspection, inspectionOf } from './inspection.ts'

export type InspectMode = 'head' | 'full' | 'off'

export type { Inspection }

const maxMeta = 8 << 20
const maxEntries = 1_000_000
/** More than this times its own size is a bomb, not a recording. */
const maxExpansion = 20_000

export interface Inspected {
  readonly path: string
  readonly bytes: number
}

export async function inspect(archive: Inspected, expected: Expected, mode: InspectMode): Promise<Inspection> {
  if (mode === 'off') return {}
  try {
    return await new Walk(expected, mode).run(decode(archive.path), archive.bytes)
  } catch (error) {
    if (error instanceof NotZstd) return { fault: error.message }
    throw error
  }
}

/** One look at an archive, entry by entry. */
export class Walk {
  readonly #expected: Expected
  readonly #mode: InspectMode
  #found: Inspection = {}
  #fault: string | undefined
  #entries = 0
  #metaSeen = false
  #headDone = false

  constructor(expected: Expected, mode: InspectMode) {
    this.#expected = expected
    this.#mode = mode
  }

  async run(chunks: AsyncGenerator<Buffer>, bytes: number): Promise<Inspection> {
    const parser = new Parser({ strict: true, maxMetaEntrySize: 1 << 20, gzip: false, brotli: false, zstd: false })
    parser.on('entry', (entry: ReadEntry) => this.#entry(entry))
    parser.on('warn', (_code: string, message: unknown) => this.#fail(`not a valid tar: ${messageOf(message)}`))
    parser.on('error', (error: Error) => this.#fail(`not a valid tar: ${messageOf(error)}`))
    let decoded = 0
    for await (const chunk of chunks) {
      decoded += chunk.length
      if (decoded > bytes * maxExpansion + maxMeta) this.#fail('the archive expands beyond all measure')
      parser.write(chunk)
      if (this.#fault !== undefined || (this.#mode === 'head' && this.#headDone)) break
    }
    if (this.#fault === undefined && !(this.#mode === 'head' && this.#headDone)) parser.end()
    // Entries are told synchronously, but the text of meta.json arrives in the next turn.
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#fault === undefined && this.#entries === 0) this.#fail('the archive has no entries')
    if (this.#fault === undefined && this.#mode === 'full' && !this.#metaSeen) this.#fail('the archive has no meta.json')
    return this.#fault === undefined ? this.#found : { fault: this.#fault }
  }

  #fail(fault: string): void {
    this.#fault ??= fault
  }

  #entry(entry: ReadEntry): void {
    this.#entries += 1
    const fault = entryFault(entry, this.#expected.id)
    if (fault) this.#fail(fault)
    if (this.#entries > maxEntries) this.#fail(`the archive has more than ${maxEntries} entries`)
    const meta = !this.#metaSeen && isMeta(entry.path, this.#expected.id) && entry.type !== 'Directory'
    if (meta && (this.#mode === 'full' || this.#entries === 1)) {
      this.#readMeta(entry)
      return
    }
    // A folder in front of meta.json is how plain tar writes it.
    if (this.#entries > 1 || entry.type !== 'Directory') this.#headDone = true
    entry.resume()
  }

  #readMeta(entry: ReadEntry): void {
    this.#metaSeen = true
    if (entry.size > maxMeta) this.#fail(`meta.json has more than ${maxMeta} bytes`)
    const parts: Buffer[] = []
    entry.on('data', (chunk: Buffer) => parts.push(chunk))
    entry.on('end', () => {
      this.#headDone = true
      const verdict = judgeMeta(Buffer.concat(parts).toString('utf8'), this.#expected)
      if (!verdict.ok) {
        this.#fail(verdict.detail)
        return
      }
      this.#found = inspectionOf(verdict.meta)
    })
  }
}
