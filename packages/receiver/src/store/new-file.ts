/** A file that is written bit by bit and has its name only when it is whole and durable. */
import { type FileHandle, open } from 'node:fs/promises'
import { moveOver, removeFile, writeAll } from '@cis490/shared/node/durable.ts'

export class NewFile implements AsyncDisposable {
  readonly #path: string
  readonly #file: FileHandle
  #published = false

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  static async open(path: string): Promise<NewFile> {
    await removeFile(`${path}.tmp`)
    return new NewFile(path, await open(`${path}.tmp`, 'wx', 0o640))
  }

  async write(text: string): Promise<void> {
    await writeAll(this.#file, Buffer.from(text))
  }

  /** Replaces what has the name now. */
  async publish(): Promise<void> {
    await this.#file.sync()
    await moveOver(`${this.#path}.tmp`, this.#path)
    this.#published = true
  }

  /** Without `publish` nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    if (!this.#published) await removeFile(`${this.#path}.tmp`)
  }
}
