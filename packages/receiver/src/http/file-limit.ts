/** How many files this process may have open, and how many of them may be connections. */
import { readFileSync } from 'node:fs'
import { standingRoom } from './connections.ts'

/** @returns the soft limit, which Node has raised as far as it may; infinite where there is none or nobody can tell */
export function fileLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** For the store's own files, the runtime, and the listeners of the operator. */
const ownFiles = 512
/** Body (a large one twice), sidecar and folder of an upload. */
const filesOfBody = 5

/** @returns as many as are wanted, or fewer: a body that is being stored must never be without a file */
export function connectionsFor({ wanted, bodies, files }: { wanted: number; bodies: number; files: number }): number {
  const left = files - ownFiles - bodies * filesOfBody
  return wanted + standingRoom(wanted) <= left ? wanted : Math.max(1, Math.floor(((left - standingRoom(1)) * 8) / 9))
}
