/** Bookkeeping goes on when the disk is full: once more, after the reserve has been given back. */
import { isErrno } from '@cis490/shared/node/errno.ts'

/** Gives room back on the file system of this path. */
export type GiveRoom = () => Promise<void>

export function isDiskFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT') || (error instanceof Error && error.cause !== undefined && isDiskFull(error.cause))
}

/** @param work makes its files anew each time: nothing that failed is synced again. Tried at most twice */
export async function withRoom<T>(giveRoom: GiveRoom | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!giveRoom || !isDiskFull(error)) throw error
    await giveRoom()
    return await work()
  }
}
