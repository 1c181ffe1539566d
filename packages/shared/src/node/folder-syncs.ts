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
  async open(path: string): Promise<OpenFolder> {
    const folder = this.#folders.get(path) ?? new Folder(path)
    this.#folders.delete(path)
    this.#folders.set(path, folder)
    folder.users += 1
    try {
      await folder.opened
    } catch (error) {
      await this.#release(path, folder)
      throw error
    }
    return {
      sync: () => folder.sync(),
      [Symbol.asyncDispose]: () => this.#release(path, folder),
    }
  }

  /** Resolves when every name that was given in the folder before the call is durable. */
  async sync(path: string): Promise<void> {
    await using folder = await this.open(path)
    await folder.sync()
  }

  async #release(path: string, folder: Folder): Promise<void> {
    folder.users -= 1
    if (folder.users > 0) return
    if (folder.failed || this.#mostKept === 0) await this.#close(path, folder)
    if (this.#folders.size <= this.#mostKept) return
    for (const [other, unused] of this.#folders) if (unused.users === 0) return await this.#close(other, unused)
  }

  async #close(path: string, folder: Folder): Promise<void> {
    if (this.#folders.get(path) === folder) this.#folders.delete(path)
    await folder.close()
  }

  /** Nobody uses a folder any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#folders].map(([path, folder]) => this.#close(path, folder)))
  }
}

export interface OpenFolder extends AsyncDisposable {
  /** Resolves when every name that was given in the folder before the call is durable. */
  sync(): Promise<void>
}

class Folder {
  readonly opened: Promise<FileHandle>
  users = 0
  failed = false
  #last: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(path: string) {
    this.opened = open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    this.opened.catch(() => {
      this.failed = true
    })
  }

  /** After a failed sync nothing is believed that this handle says: all who are in line fail with it. */
  sync(): Promise<void> {
    this.#next ??= this.#last.then(() => this.#begin())
    this.#last = this.#next
    return this.#next
  }

  async #begin(): Promise<void> {
    const file = await this.opened
    // From here on who comes has to wait for the next one.
    this.#next = undefined
    try {
      await file.sync()
    } catch (error) {
      this.failed = true
      throw error
    }
  }

  async close(): Promise<void> {
    await (await this.opened.catch(() => undefined))?.close()
  }
}
