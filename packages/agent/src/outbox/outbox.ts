/**
 * The durable directory of archives that wait. One process at a time (the agent's lock) has it open.
 * Every order of steps here is made for a power cut between any two of them: what is left is mended by the next reclaim.
 */
import { join } from 'node:path'
import { type EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { linkNew, makeDir, removeFile, replaceFile, syncDir } from '@cis490/shared/node/durable.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Receipt } from '@cis490/shared/receipt.ts'
import { whatChanged } from '../core/history.ts'
import { receiptRow } from '../core/receipt-row.ts'
import { Book } from './book.ts'
import { type Entry, Sidecar } from './entry.ts'
import { History, historyName } from './history.ts'
import { archiveName, type OutboxFile, partSuffix, sidecarName, tempSuffix } from './layout.ts'
import { type KnownSidecars, listOutbox, readEntries, readEntry } from './read.ts'
import { KnownReceipt, Packed, Tombstone } from './records.ts'
import { withRoom } from './with-room.ts'

export interface OutboxOptions {
  readonly outboxDir: string
  readonly stateDir: string
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Asked for room in a folder when bookkeeping meets a full disk; the step is then tried once more. */
  readonly giveRoom?: (dir: string) => Promise<void>
}

export class Outbox implements AsyncDisposable {
  readonly dir: string
  readonly #now: () => number
  readonly #giveRoom: Record<'outbox' | 'state', () => Promise<void>>
  readonly #receipts: Book<KnownReceipt>
  readonly #tombstones: Book<Tombstone>
  readonly #packed: Book<Packed>
  readonly #history: History
  /** As on the disk: no other process writes them. A queue of ten thousand is not read anew for every turn. */
  readonly #sidecars: KnownSidecars = new Map()
  readonly #inFlight = new Set<EpisodeId>()

  private constructor(options: OutboxOptions, receipts: Book<KnownReceipt>, tombstones: Book<Tombstone>, packed: Book<Packed>) {
    this.dir = options.outboxDir
    this.#now = options.now
    const give = async (dir: string) => options.giveRoom?.(dir)
    this.#giveRoom = { outbox: () => give(options.outboxDir), state: () => give(options.stateDir) }
    this.#receipts = receipts
    this.#tombstones = tombstones
    this.#packed = packed
    this.#history = new History(join(options.stateDir, historyName), options.log)
  }

  /** Makes the folders and opens the journals. The caller holds the agent's lock. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    await makeDir(options.outboxDir)
    await makeDir(options.stateDir)
    // Nothing is being replaced yet: these are what a crash left.
    for (const file of await listOutbox(options.outboxDir))
      if (file.kind === 'sidecar-temp') await removeFile(join(options.outboxDir, file.name))
    await using stack = new AsyncDisposableStack()
    const path = (name: string) => join(options.stateDir, name)
    const receipts = stack.use(await Book.open(path('receipts.jsonl'), KnownReceipt, options.log))
    const tombstones = stack.use(await Book.open(path('tombstones.jsonl'), Tombstone, options.log))
    const packed = stack.use(await Book.open(path('packed.jsonl'), Packed, options.log))
    stack.move()
    return new Outbox(options, receipts, tombstones, packed)
  }

  /** Complete entries only, sorted by id. */
  entries(): Promise<Entry[]> {
    return readEntries(this.dir, this.#sidecars)
  }

  find(id: EpisodeId): Promise<Entry | undefined> {
    return readEntry(this.dir, id, this.#sidecars)
  }

  /** Every file, finished or not. */
  files(): Promise<OutboxFile[]> {
    return listOutbox(this.dir)
  }

  archivePath(id: EpisodeId): string {
    return join(this.dir, archiveName(id))
  }

  /** Where an archive is written before it is complete. */
  partPath(id: EpisodeId): string {
    return `${this.archivePath(id)}${partSuffix}`
  }

  /**
   * Makes an entry of a synced part. The sidecar is durable before the archive gets its name, so that a name never stands without its state.
   * @throws when the entry is there already: an archive is immutable
   */
  async publish(entry: Entry, packed: Omit<Packed, 'id' | 'sha256' | 'at'>): Promise<void> {
    const row: Packed = { id: entry.id, sha256: entry.sha256, ...packed, at: timestamp(this.#now()) }
    // Packing may not have the room that bookkeeping needs.
    await this.#packed.append(row)
    await this.#replaceSidecar(entry)
    if (!linkNew(this.partPath(entry.id), this.archivePath(entry.id)))
      throw new Error(`${this.archivePath(entry.id)} exists already`)
    await syncDir(this.dir)
    await removeFile(this.partPath(entry.id))
    await this.#remember(undefined, entry)
  }

  /** One atomic replace of the sidecar. */
  async update(entry: Entry): Promise<void> {
    const before = await this.find(entry.id)
    await withRoom(this.#giveRoom.outbox, () => this.#replaceSidecar(entry))
    await this.#remember(before, entry)
  }

  async #remember(before: Entry | undefined, entry: Entry): Promise<void> {
    const change = whatChanged(before, entry)
    if (change) await this.#history.add({ at: timestamp(this.#now()), id: entry.id, ...change })
  }

  async #replaceSidecar(entry: Entry): Promise<void> {
    const sidecar = Sidecar.parse(entry)
    // Nobody knows what stands there when the writing fails.
    this.#sidecars.delete(entry.id)
    await replaceFile(join(this.dir, sidecarName(entry.id)), `${JSON.stringify(sidecar)}\n`)
    this.#sidecars.set(entry.id, sidecar)
  }

  hasReceipt(id: EpisodeId): boolean {
    return this.#receipts.rows.has(id)
  }

  receiptOf(id: EpisodeId): KnownReceipt | undefined {
    return this.#receipts.rows.get(id)
  }

  /** All delivered episodes, id by id. */
  get receipts(): ReadonlyMap<EpisodeId, KnownReceipt> {
    return this.#receipts.rows
  }

  tombstoneOf(id: EpisodeId): Tombstone | undefined {
    return this.#tombstones.rows.get(id)
  }

  /** How the folder looked when it was packed. */
  packedOf(id: EpisodeId): Packed | undefined {
    return this.#packed.rows.get(id)
  }

  /** When an episode was packed last; RFC 3339. */
  get lastPackedAt(): string | undefined {
    let last: string | undefined
    for (const { at } of this.#packed.rows.values()) if (last === undefined || at > last) last = at
    return last
  }

  /**
   * The receipt is durable first; only then archive and sidecar go. The episode's folder is the caller's.
   * @param signature of the receipt, kept with it. @throws when the text is not a receipt for this very archive
   */
  async settleDelivered(entry: Entry, receiptText: string, signature?: string): Promise<void> {
    const receipt = Receipt.parse(parseObject(receiptText))
    if (receipt.id !== entry.id || receipt.sha256 !== entry.sha256)
      throw new Error(`the receipt for ${receipt.id} ${receipt.sha256} is not one for ${entry.id} ${entry.sha256}`)
    if (this.receiptOf(entry.id)?.sha256 !== entry.sha256) {
      const known = { id: receipt.id, sha256: receipt.sha256, received_at: receipt.received_at }
      await this.#receipts.append(known, { line: receiptRow(receiptText, signature), giveRoom: this.#giveRoom.state })
    }
    await this.remove(entry.id)
  }

  /** Gives an episode up. The tombstone is durable first. @returns false when there is no such entry */
  async drop(id: EpisodeId, reason: string, by: string): Promise<boolean> {
    const entry = await this.find(id)
    if (entry === undefined) return false
    const { sha256, bytes, commit } = entry
    await this.bury({ id, reason, by, sha256, bytes, ...(commit === undefined ? {} : { commit }) })
    await this.remove(id)
    return true
  }

  /** A tombstone alone, for an episode that has no entry. */
  async bury(grave: Omit<Tombstone, 'at'>): Promise<void> {
    const row: Tombstone = { ...grave, at: timestamp(this.#now()) }
    await this.#tombstones.append(row, { giveRoom: this.#giveRoom.state })
  }

  /** Archive first: a sidecar alone is harmless, an archive alone would be taken for the last copy. */
  async remove(id: EpisodeId): Promise<void> {
    await withRoom(this.#giveRoom.outbox, () => this.#removeFiles(id))
  }

  async #removeFiles(id: EpisodeId): Promise<void> {
    await removeFile(this.archivePath(id))
    await syncDir(this.dir)
    this.#sidecars.delete(id)
    await removeFile(join(this.dir, sidecarName(id)))
    await removeFile(join(this.dir, `${id}${tempSuffix}`))
    await syncDir(this.dir)
  }

  /** Reclaim and drop leave an entry alone while it is being sent. */
  markInFlight(id: EpisodeId): void {
    this.#inFlight.add(id)
  }

  releaseInFlight(id: EpisodeId): void {
    this.#inFlight.delete(id)
  }

  get inFlight(): ReadonlySet<EpisodeId> {
    return this.#inFlight
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const book of [this.#receipts, this.#tombstones, this.#packed, this.#history]) await book[Symbol.asyncDispose]()
  }
}
