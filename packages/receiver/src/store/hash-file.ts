import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { isErrno } from '@cis490/shared/node/errno.ts'

/** SHA-256 of a file, lower-case hex, read in 1 MiB pieces. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** An archive that cannot be read is written off, so it is read once more: a bad sector stays bad. @returns undefined where the disk does not give all of it back */
export async function hashReadable(path: string): Promise<string | undefined> {
  return (await hashUnlessBroken(path)) ?? (await hashUnlessBroken(path))
}

async function hashUnlessBroken(path: string): Promise<string | undefined> {
  return await hashFile(path).catch((error: unknown) => {
    if (isErrno(error, 'EIO')) return undefined
    throw error
  })
}
