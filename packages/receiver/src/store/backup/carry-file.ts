/** Gives a file a copy in another store: a second name on the same file system, else its bytes, hashed on the way. */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { linkNew, moveOver, removeFile, writeAll } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { hashFile } from '../hash-file.ts'

export interface CarryOptions {
  /** Never a second name: the copy shall not share the fate of the disk's blocks. */
  readonly copy: boolean
  /** Reads what is there already, and what got a second name. */
  readonly verify: boolean
}

export interface Expected {
  readonly sha256: string | undefined
  readonly bytes: number | undefined
}

export type Carried = 'there' | 'linked' | 'copied' | 'missing' | 'damaged'

/** @param temps folder on the file system of `to` that is emptied when a run ends. The name of `to` is not yet durable */
export async function carryFile(
  from: string,
  to: string,
  expected: Expected,
  temps: string,
  options: CarryOptions,
): Promise<Carried> {
  if (await isWhole(to, expected, options.verify)) return 'there'
  const linked = options.copy ? false : await tryLink(from, to)
  if (linked === 'missing') return 'missing'
  if (!linked) return await copy(from, to, expected, temps)
  if (await isWhole(to, expected, options.verify)) return 'linked'
  await removeFile(to)
  return 'damaged'
}

async function isWhole(path: string, { sha256, bytes }: Expected, verify: boolean): Promise<boolean> {
  const size = await stat(path).then(
    (info) => info.size,
    () => undefined,
  )
  if (size === undefined || (bytes !== undefined && size !== bytes)) return false
  return !verify || sha256 === undefined || (await hashFile(path)) === sha256
}

/** @returns false where a second name is not possible, or would not be enough: what has the name now is wrong */
async function tryLink(from: string, to: string): Promise<boolean | 'missing'> {
  try {
    return linkNew(from, to)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 'missing'
    if (isErrno(error, 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP')) return false
    throw error
  }
}

async function copy(from: string, to: string, expected: Expected, temps: string): Promise<Carried> {
  const temp = join(temps, `${randomUUID()}.part`)
  const file = await open(temp, 'wx', 0o640)
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of createReadStream(from, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
      await writeAll(file, chunk as Buffer)
    }
    await file.sync()
  } catch (error) {
    await removeFile(temp)
    if (isErrno(error, 'ENOENT')) return 'missing'
    throw error
  } finally {
    await file.close()
  }
  const same = (expected.bytes ?? bytes) === bytes && (expected.sha256 === undefined || hash.digest('hex') === expected.sha256)
  if (!same) {
    await removeFile(temp)
    return 'damaged'
  }
  await moveOver(temp, to)
  return 'copied'
}
