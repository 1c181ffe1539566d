/** The bytes of a bundle on their way in. */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { writeAll } from '@cis490/shared/node/durable.ts'
import { zstdMagic } from '@cis490/shared/zstd-frame.ts'

/** Copies an open file to a new name, synced, and says what was copied. @param onBytes told the bytes so far. @throws EEXIST, and what the disks say */
export async function copyHashed(
  from: FileHandle,
  to: string,
  onBytes: (done: number) => void,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  await using file = await open(to, 'wx', 0o640)
  for await (const chunk of from.createReadStream({ start: 0, highWaterMark: 1 << 20, autoClose: false })) {
    hash.update(chunk as Buffer)
    await writeAll(file, chunk as Buffer)
    bytes += (chunk as Buffer).length
    onBytes(bytes)
  }
  await file.sync()
  return { sha256: hash.digest('hex'), bytes }
}

/** Whether it begins as a zstd archive does. */
export async function beginsAsZstd(file: FileHandle): Promise<boolean> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
  return bytesRead === 4 && buffer.readUInt32LE(0) === zstdMagic
}
