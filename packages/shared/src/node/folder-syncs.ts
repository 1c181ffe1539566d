/**
 * Makes names in folders durable, with group commit: who waits when a sync begins is covered by it.
 * A sync that runs already may have passed over a name that was given meanwhile, so it covers nobody who comes later.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export class FolderSyncs implements AsyncDisposable {
  readonly #mostKept: number
  /** The longest unused first. */
  readonly #folders = new Map<string, Folder>()

  /** @param mostKept folders that stay open while nobody needs them; whoever wants any disposes of this object in the end */
  constructor(mostKept = 0) {
    this.#mostKept = mostKept
  }

  /** Opened before a name is given, so that nothing but the disk itself can keep it from being synced. The caller disposes of it. */
  open(path: string): OpenFolder | Promise<OpenFolder> {
    const folder = this.#folders.get(path) ?? new Folder(path, this.#unused)
    this.#folders.delete(path)
    this.#folders.set(path, folder)
    return folder.use()
  }

  /** Resolves when every name that was given in the folder before the call is durable. */
  async sync(path: string): Promise<void> {
    await using folder = await this.open(path)
    await folder.sync()
  }

  readonly #unused = (folder: Folder): Promise<void> => {
    const stays = !folder.failed && this.#mostKept > 0 && this.#folders.size <= this.#mostKept
    return stays ? atOnce : this.#tidy(folder)
  }

  async #tidy(folder: Folder): Promise<void> {
    if (folder.failed || this.#mostKept === 0) await this.#close(folder)
    if (this.#folders.size <= this.#mostKept) return
    for (const unused of this.#folders.values()) if (unused.users === 0) return await this.#close(unused)
  }

  async #close(folder: Folder): Promise<void> {
    if (this.#folders.get(folder.path) === folder) this.#folders.delete(folder.path)
    await folder.close()
  }

  /** Nobody uses a folder any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#folders.values()].map((folder) => this.#close(folder)))
  }
}

export interface OpenFolder extends AsyncDisposable {
  /** Resolves when every name that was given in the folder before the call is durable. */
  sync(): Promise<void>
}

const atOnce = Promise.resolve()

class Folder implements OpenFolder {
  readonly path: string
  users = 0
  failed = false
  readonly #opening: Promise<FileHandle>
  readonly #unused: (folder: Folder) => Promise<void>
  #file: FileHandle | undefined
  #last: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(path: string, unused: (folder: Folder) => Promise<void>) {
    this.path = path
    this.#unused = unused
    this.#opening = open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    this.#opening.then(
      (file) => {
        this.#file = file
      },
      () => {
        this.failed = true
      },
    )
  }

  /** One more who disposes of it. @returns a promise while it is being opened */
  use(): Folder | Promise<Folder> {
    this.users += 1
    return this.#file ? this : this.#whenOpen()
  }

  async #whenOpen(): Promise<Folder> {
    try {
      await this.#opening
      return this
    } catch (error) {
      await this[Symbol.asyncDispose]()
      throw error
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.users -= 1
    return this.users > 0 ? atOnce : this.#unused(this)
  }

  /** After a failed sync nothing is believed that this handle says: all who are in line fail with it. */
  sync(): Promise<void> {
    this.#next ??= this.#last.then(() => this.#begin())
    this.#last = this.#next
    return this.#next
  }

  async #begin(): Promise<void> {
    const file = await this.#opening
    // From here on who comes has to wait for the next one.
    this.#next = undefined
    try {
      await file.sync()
    } catch (error) {
      this.failed = true
      throw error
    }
  }

  /** Never throws: what became of a handle that only reads says nothing of the names, and would hide what a failed sync said. */
  async close(): Promise<void> {
    await (await this.#opening.catch(() => undefined))?.close().catch(() => undefined)
  }
}
