/** The published episodes. What has its final name is complete, was verified, and is never changed. */
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { linkNew, makeDir, removeFile, syncDir } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { Receipt } from '@cis490/shared/receipt.ts'
import type { EpisodeKey, StoreLayout } from './layout.ts'

export interface StoredEpisode {
  readonly receipt: Receipt
  /** The sidecar's bytes: the receipt exactly as it was first given. */
  readonly text: string
}

/** What went wrong after a name was given: the state on disk is unknown until recovery has looked. */
export class PublishInDoubt extends Error {
  override readonly name = 'PublishInDoubt'
}

export class Episodes {
  readonly #layout: StoreLayout
  /** Shelves of this process whose names, and their parents', are durable; shared by all who wait for one. */
  readonly #shelves = new Map<string, Promise<void>>()

  constructor(layout: StoreLayout) {
    this.#layout = layout
  }

  /** A sidecar counts only with its archive: it is linked first, so alone it is the trace of a crash. */
  async find(key: EpisodeKey): Promise<StoredEpisode | undefined> {
    await using archive = await openIfThere(this.#layout.archive(key))
    if (!archive) return undefined
    const text = await readFile(this.#layout.sidecar(key), 'utf8')
    const receipt = Receipt.safeParse(parseObject(text))
    if (!receipt.success) throw new Error(`the sidecar ${this.#layout.sidecar(key)} is damaged`)
    return { receipt: receipt.data, text }
  }

  async openArchive(key: EpisodeKey): Promise<FileHandle | undefined> {
    return openIfThere(this.#layout.archive(key))
  }

  /**
   * Gives the synced files their final names, sidecar first, and makes the names durable.
   * The caller holds the key. @returns false when an archive has the name already
   */
  async publish(key: EpisodeKey, from: { archive: string; sidecar: string }): Promise<boolean> {
    await this.#shelf(this.#layout.shelf(key))
    try {
      return await this.#link(key, from)
    } catch (error) {
      throw new PublishInDoubt(`publishing ${key.host}/${key.id}`, { cause: error })
    }
  }

  /** A folder that is there already may have been made a moment ago by another upload, or before a crash: its name is synced all the same, once. */
  #shelf(path: string): Promise<void> {
    const known = this.#shelves.get(path)
    if (known) return known
    const made = makeDir(path)
      .then(() => syncDir(dirname(path)))
      .then(() => syncDir(this.#layout.episodes))
    this.#shelves.set(path, made)
    made.catch(() => this.#shelves.delete(path))
    return made
  }

  async #link(key: EpisodeKey, from: { archive: string; sidecar: string }): Promise<boolean> {
    const sidecar = this.#layout.sidecar(key)
    if (!(await linkNew(from.sidecar, sidecar))) {
      await using archive = await openIfThere(this.#layout.archive(key))
      if (archive) return false
      // A sidecar alone was left by a failure between the two links; nobody was promised anything.
      await removeFile(sidecar)
      if (!(await linkNew(from.sidecar, sidecar))) return false
    }
    if (!(await linkNew(from.archive, this.#layout.archive(key)))) return false
    await syncDir(this.#layout.shelf(key))
    return true
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
