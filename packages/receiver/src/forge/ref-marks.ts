/** Whether a branch of a clone may have moved, without starting git: each start of a program halts a busy receiver for milliseconds. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Beside the branch itself, what git writes anew, under another inode, when a branch moves or its history gets longer. */
const common = ['HEAD', 'packed-refs', 'shallow', 'reftable/tables.list']

/**
 * @param clone the real path of a checkout or of a bare repository
 * @returns a text that differs after each move of the branch; undefined where it is kept elsewhere and git has to be asked.
 * What else changes a history (grafts, replaced or damaged objects) is not in it.
 */
export function refMarks(clone: string, branch: string): string | undefined {
  const inside = statSync(join(clone, '.git'), { throwIfNoEntry: false })
  // A file there leads to the names of another folder, as `commondir` does.
  if (inside && !inside.isDirectory()) return undefined
  const folder = inside ? join(clone, '.git') : clone
  if (statSync(join(folder, 'commondir'), { throwIfNoEntry: false })) return undefined
  const branches = [`refs/heads/${branch}`, `refs/remotes/origin/${branch}`].map((name) => join(folder, name))
  const marks = [...common.map((name) => markOf(join(folder, name))), ...branches.map(markOf)]
  return marks[0] === '' || branches.some(leadsOn) ? undefined : marks.join(' ')
}

function markOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found ? `${found.ino}:${found.size}:${found.ctimeNs}` : ''
}

/** A name that stands for another one (`git symbolic-ref`), which moves by itself. */
function leadsOn(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true && readFileSync(path, 'latin1').startsWith('ref:')
}
