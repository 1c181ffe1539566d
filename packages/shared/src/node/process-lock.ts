/** One writer a file: an exclusive lock that the kernel gives back when the process dies, however it dies. */
import { DatabaseSync } from 'node:sqlite'
import { isErrno } from './errno.ts'

export interface ProcessLock extends Disposable {
  readonly path: string
}

/** @returns the lock, or undefined while another process holds it */
export function takeLock(path: string): ProcessLock | undefined {
  const database = openDatabase(path)
  try {
    // The journal stays in memory: a lock that writes could not be taken on a full disk.
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isErrno(error, 'ERR_SQLITE_ERROR') && /locked|busy/.test(error.message)) return undefined
    throw error
  }
  return { path, [Symbol.dispose]: () => database.close() }
}

/** SQLite says neither which file nor why. */
function openDatabase(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path)
  } catch (cause) {
    throw new Error(`cannot open the lock ${path}: no permission, or no such folder; run it as the user of the service`, {
      cause,
    })
  }
}
