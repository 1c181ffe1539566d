/** One backup or restore a folder. */
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'

/** @returns undefined while another backup or restore works in `dir` */
export function lockBackup(dir: string): ProcessLock | undefined {
  return takeLock(lockPath(dir))
}

/** The same for a folder that is only read: where nobody can write, nobody can be writing. */
export async function lockBackupToRead(dir: string): Promise<ProcessLock | undefined> {
  const writable = await access(dir, constants.W_OK).then(
    () => true,
    (error: unknown) => {
      if (isErrno(error, 'EROFS', 'EACCES')) return false
      throw error
    },
  )
  return writable ? lockBackup(dir) : { path: lockPath(dir), [Symbol.dispose]: () => undefined }
}

function lockPath(dir: string): string {
  return join(dir, 'backup.lock')
}
