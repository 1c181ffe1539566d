/** The published episodes. What has its final name is complete, was verified, and is never changed. */
import { statSync } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { linkNew, makeDir, removeFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { FolderSyncs, type OpenFolder } from '@cis490/shared/node/folder-syncs.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import type { Receipt } from '@cis490/shared/receipt.ts'
import { receiptFor } from '../core/episode-state.ts'
import type { PruneRow } from '../core/prune.ts'
import type { EpisodeKey, StoreLayout } from './layout.ts'
import { mendSidecar, receiptsOf } from './mend-sidecar.ts'
import { Prunes } from './prunes.ts'

export interface StoredEpisode {
  readonly receipt: Receipt
  /** The sidecar's bytes: the receipt exactly as it was first given. */
  readonly text: string
  /** The act that took the archive out of the store. The receipt stays. */
  readonly pruned?: PruneRow
}

/** A sidecar that was found damaged. `fault` is undefined when it could be mended. */
export interface SidecarDamage extends EpisodeKey {
  readonly fault: string | undefined
}

/** What went wrong after a name was given: the state on disk is unknown until recovery has looked. */
export class PublishInDoubt extends Error {
  override readonly name = 'PublishInDoubt'
}

/** How long a request waits for a damaged sidecar to be written anew. */
const mendPatienceMs = 5000

export class Episodes implements AsyncDisposable {
  readonly #layout: StoreLayout
  /** Shelves of this process whose names, and their parents', are durable; shared by all who wait for one. */
  readonly #shelves = new Map<string, Promise<void> | 'made'>()
  readonly #folders: FolderSyncs
  readonly #prunes: Prunes
  readonly #mending = new Map<string, Promise<string | undefined>>()
  readonly #onDamage: (damage: SidecarDamage) => void

  /**
   * @param onDamage told of each damaged sidecar once it is clear whether it could be mended
   * @param openShelves shelves that stay open for the next episode
   */
  constructor(layout: StoreLayout, onDamage: (damage: SidecarDamage) => void = () => undefined, openShelves = 0) {
    this.#layout = layout
    this.#folders = new FolderSyncs(openShelves)
    this.#prunes = new Prunes(layout)
    this.#onDamage = onDamage
  }

  /** Whether nothing has this id: no archive, no receipt, no act that took it out. False also where that is not known at once. */
  isNew(key: EpisodeKey): boolean {
    const nothingThere = !isThere(this.#layout.archive(key)) && !isThere(this.#layout.sidecar(key))
    return nothingThere && this.#prunes.upToDate && !this.#prunes.has(key)
  }

  /**
   * A sidecar counts only with its archive: it is linked first, so alone it is the trace of a crash, unless the archive was pruned or is lost.
   * @throws Refusal when the sidecar is damaged and cannot be mended, or not yet
   */
  async find(key: EpisodeKey): Promise<StoredEpisode | undefined> {
    const archive = isThere(this.#layout.archive(key))
    if (!archive && !this.#prunes.upToDate) await this.#prunes.refresh()
    const pruned = archive ? undefined : this.#prunes.get(key)
    if (!archive && !pruned) return undefined
    const stored = await this.#readSidecar(key)
    if (stored) return pruned ? { ...stored, pruned } : stored
    await this.#mend(key)
    const mended = await this.#readSidecar(key)
    if (!mended) throw new Error(`the sidecar ${this.#layout.sidecar(key)} was damaged again`)
    return pruned ? { ...mended, pruned } : mended
  }

  /**
   * What a row has promised and whose archive is gone, where `find` finds nothing. The receipt still holds: other bytes may not have this id.
   * The caller holds the key. Reads the whole index, but only where a sidecar is alone.
   * @throws Refusal when the sidecar is damaged
   */
  async findLost(key: EpisodeKey): Promise<StoredEpisode | undefined> {
    if (!isThere(this.#layout.sidecar(key))) return undefined
    const promised = await receiptsOf(this.#layout, key)
    if (promised.length === 0) return undefined
    const kept = await this.#readSidecar(key)
    if (!kept)
      throw new Refusal(
        'internal',
        'the archive of this episode is lost and its receipt damaged; cis490-receiver fsck --repair helps',
      )
    const { sha256, received_at } = kept.receipt
    return promised.some((one) => one.sha256 === sha256 && one.received_at === received_at) ? kept : undefined
  }

  /**
   * Gives a lost archive its name again; its receipt and its row are there.
   * @param archive synced, and what the receipt says
   * @returns false when there is one again
   * @throws the system's error as long as the archive has no name, PublishInDoubt after that
   */
  async bringBack(key: EpisodeKey, archive: string): Promise<boolean> {
    await using shelf = await this.#openShelf(key)
    return linkNew(archive, this.#layout.archive(key)) && (await this.#named(key, shelf))
  }

  async #readSidecar(key: EpisodeKey): Promise<StoredEpisode | undefined> {
    const text = await readFile(this.#layout.sidecar(key), 'utf8').catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return ''
      throw error
    })
    const receipt = receiptFor(parseObject(text), key)
    return receipt && { receipt, text }
  }

  /** Reading a large archive takes its time: who asks meanwhile is told to come again. */
  async #mend(key: EpisodeKey): Promise<void> {
    const name = `${key.host}/${key.id}`
    const known = this.#mending.get(name)
    const mending = known ?? mendSidecar(this.#layout, key, this.#prunes)
    if (!known) {
      this.#mending.set(name, mending)
      const ended = (fault: string | undefined) => {
        this.#mending.delete(name)
        this.#onDamage({ ...key, fault })
      }
      mending.then(ended, (error: unknown) => ended(String(error)))
    }
    const { promise: late, resolve } = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => resolve('late'), mendPatienceMs)
    const fault = await Promise.race([mending, late]).finally(() => clearTimeout(timer))
    if (fault === 'late')
      throw new Refusal('overloaded', 'the receipt of this episode is damaged and is being made anew', { retry_after_s: 30 })
    if (fault !== undefined)
      throw new Refusal('internal', `the receipt of this episode is damaged: ${fault}; cis490-receiver fsck --repair mends it`)
  }

  async openArchive(key: EpisodeKey): Promise<FileHandle | undefined> {
    return openIfThere(this.#layout.archive(key))
  }

  /**
   * Gives the synced files their final names, sidecar first, and makes the names durable.
   * The caller holds the key. @returns false when an archive has the name already, or had it and was pruned or is lost
   * @throws the system's error as long as the archive has no name, PublishInDoubt after that
   */
  async publish(key: EpisodeKey, from: { archive: string; sidecar: string }): Promise<boolean> {
    // Opened before anything has a name: afterwards nothing but the disk itself may fail.
    await using shelf = await this.#openShelf(key)
    if (!linkNew(from.sidecar, this.#layout.sidecar(key)) && !(await this.#linkOverTrace(key, from.sidecar))) return false
    try {
      if (!linkNew(from.archive, this.#layout.archive(key))) return false
    } catch (error) {
      await this.#noEffect(key, error)
      throw error
    }
    return await this.#named(key, shelf)
  }

  async #named(key: EpisodeKey, shelf: OpenFolder): Promise<true> {
    try {
      await shelf.sync()
      return true
    } catch (error) {
      throw new PublishInDoubt(`publishing ${key.host}/${key.id}`, { cause: error })
    }
  }

  /** A folder that is there already may have been made a moment ago by another upload, or before a crash: its name is synced all the same, once. */
  #openShelf(key: EpisodeKey): OpenFolder | Promise<OpenFolder> {
    const path = this.#layout.shelf(key)
    const known = this.#shelves.get(path)
    if (known === 'made') return this.#folders.open(path)
    const making = known ?? this.#makeShelf(path)
    return making.then(() => this.#folders.open(path))
  }

  #makeShelf(path: string): Promise<void> {
    const making = this.#makeFolder(path)
    this.#shelves.set(path, making)
    making.then(
      () => this.#shelves.set(path, 'made'),
      () => this.#shelves.delete(path),
    )
    return making
  }

  async #makeFolder(path: string): Promise<void> {
    await makeDir(path, 0o750, async () => undefined)
    await Promise.all([dirname(path), this.#layout.episodes].map((folder) => this.#folders.sync(folder)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folders[Symbol.asyncDispose]()
  }

  /** A sidecar has the name. Without a row it was left by a failure between the two links; nobody was promised anything. */
  async #linkOverTrace(key: EpisodeKey, from: string): Promise<boolean> {
    const sidecar = this.#layout.sidecar(key)
    if (isThere(this.#layout.archive(key)) || (await this.#prunes.find(key)) || (await this.findLost(key))) return false
    await removeFile(sidecar)
    return linkNew(from, sidecar)
  }

  /** A full disk or table gave the archive no name, certainly: the upload can be refused. Of any other failure nobody knows. */
  async #noEffect(key: EpisodeKey, error: unknown): Promise<void> {
    if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EMLINK'))
      throw new PublishInDoubt(`publishing ${key.host}/${key.id}`, { cause: error })
    await removeFile(this.#layout.sidecar(key)).catch(() => undefined)
  }
}

/** A look into the names costs less than to hand it to another thread, and asked for a new id it makes no error. */
function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
