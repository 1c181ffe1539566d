/** Who holds a process lock, told by the kernel's table: to ask must not take the lock, or a daemon that starts just then would not get it. */
import { readFileSync, statSync } from 'node:fs'

/** @returns the process id, null when nobody holds it, undefined where the kernel does not tell */
export function lockHolder(path: string): number | null | undefined {
  try {
    const table = readFileSync('/proc/locks', 'utf8')
    return holderIn(table, statSync(path, { throwIfNoEntry: false })?.ino)
  } catch {
    return undefined
  }
}

/** A line: `1: POSIX  ADVISORY  WRITE 22270 fe:00:10011891 1073741824 1073742335`. By inode alone: some file systems show another device. */
export function holderIn(table: string, inode: number | undefined): number | null {
  for (const line of table.split('\n')) {
    const [, , , kind, pid, file] = line.trim().split(/\s+/)
    if (kind === 'WRITE' && file?.split(':').at(-1) === String(inode)) return Number(pid)
  }
  return null
}
