/** A big archive in a file, whose id can be changed without writing the rest anew. */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { writeAll } from '@cis490/shared/node/durable.ts'
import { archiveHead, archiveRest } from './archive.ts'

export class BodyFile {
  readonly path: string
  readonly commit: string
  readonly #payload: number
  bytes = 0
  id = ''
  /** Of the file as it is now. */
  sha256 = ''

  private constructor(path: string, payload: number, commit: string) {
    this.path = path
    this.#payload = payload
    this.commit = commit
  }

  /** @param bytes about so many in all */
  static async make(path: string, bytes: number, commit: string): Promise<BodyFile> {
    const body = new BodyFile(path, bytes, commit)
    await using file = await open(path, 'wx')
    await writeAll(file, archiveHead(idOf(path, 0), commit, bytes))
    for (const frame of archiveRest(bytes)) await writeAll(file, frame)
    await file.sync()
    body.bytes = (await file.stat()).size
    return body
  }

  /** Another id of the same length, and the hash that follows; all of it is in the page cache then. */
  async renew(number: number): Promise<void> {
    await using file = await open(this.path, 'r+')
    this.id = idOf(this.path, number)
    const head = archiveHead(this.id, this.commit, this.#payload)
    await file.write(head, 0, head.length, 0)
    await file.sync()
    this.sha256 = await hashOf(file)
  }
}

function idOf(path: string, number: number): string {
  const name = path.slice(path.lastIndexOf('/') + 1).replaceAll('.', '-')
  return `bench-${name}-${number.toString().padStart(4, '0')}`
}

async function hashOf(file: FileHandle): Promise<string> {
  const hash = createHash('sha256')
  const block = Buffer.allocUnsafe(4 << 20)
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, block.length, at)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(block.subarray(0, bytesRead))
    at += bytesRead
  }
}
