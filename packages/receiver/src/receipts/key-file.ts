/** The file of receipt keys as the command makes and rotates it. */
import { generateKeyPairSync } from 'node:crypto'
import { chmod, chown, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { linkNew, moveOver, removeFile, syncDir, writeNew } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'

/** @returns false when the file is there already, which is left as it is */
export async function createKeyFile(path: string): Promise<boolean> {
  return await withTemp(path, newKey(), async (temp) => {
    const made = linkNew(temp, path)
    await syncDir(dirname(path))
    return made
  })
}

/** Puts a new key in front of those that are there; they vouch for it from now on. @returns false when there is no such file */
export async function rotateKeyFile(path: string): Promise<boolean> {
  const older = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  })
  if (older === undefined) return false
  const { uid, gid, mode } = await stat(path)
  await withTemp(path, `${newKey()}${older}`, async (temp) => {
    // Rotated by root, it has to stay readable for the receiver.
    await chown(temp, uid, gid)
    await chmod(temp, mode & 0o740)
    await moveOver(temp, path)
  })
  return true
}

function newKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Nobody else may read it, not even for a moment. */
async function withTemp<T>(path: string, text: string, use: (temp: string) => Promise<T>): Promise<T> {
  const temp = `${path}.tmp`
  await removeFile(temp)
  await writeNew(temp, text, 0o600)
  try {
    return await use(temp)
  } finally {
    await removeFile(temp)
  }
}
