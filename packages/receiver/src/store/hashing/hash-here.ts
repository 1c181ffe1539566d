/** Without a worker: reads the file on this thread, and lets others have their turn between two pieces. */
import { createHash } from 'node:crypto'
import type { ReadableFile } from '../body-file.ts'

const pieceBytes = 256 * 1024

/** @returns SHA-256 of the first `length` bytes, lower-case hex. @throws where the file is shorter or cannot be read */
export async function hashHere(file: ReadableFile, length: number): Promise<string> {
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(pieceBytes)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(pieceBytes, length - at), at)
    if (bytesRead === 0) throw new Error('the file is shorter than what was written')
    hash.update(piece.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash.digest('hex')
}
