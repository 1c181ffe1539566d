/** Which tar entries an episode archive may have, by name and type alone. Pure; the receiver never extracts. */

export interface ArchiveEntry {
  readonly path: string
  readonly type: string
  readonly linkpath?: string | undefined
}

/** @returns what is wrong, or undefined */
export function entryFault(entry: ArchiveEntry, id: string): string | undefined {
  const path = entry.path.replace(/\/+$/, '')
  const shown = JSON.stringify(entry.path.slice(0, 200))
  if (path.includes('\0')) return `the name ${shown} has a NUL`
  if (path.startsWith('/')) return `the name ${shown} is absolute`
  if (path.split('/').includes('..')) return `the name ${shown} leads outside`
  if (entry.type === 'File' || entry.type === 'OldFile' || entry.type === 'ContiguousFile' || entry.type === 'Directory')
    return undefined
  if (entry.type !== 'SymbolicLink') return `${shown} is a ${entry.type}; files, folders and relative links are taken`
  return leadsOutside(path, entry.linkpath ?? '', id) ? `the link ${shown} leads outside the episode` : undefined
}

/** A link is followed by hand: absolute, or more steps up than it lies deep. */
function leadsOutside(path: string, target: string, id: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return true
  const parts = path.replace(/^\.\//, '').split('/')
  const root = parts[0] === id ? 1 : 0
  let depth = parts.length - 1 - root
  for (const step of target.split('/')) {
    if (step === '..') depth -= 1
    else if (step !== '' && step !== '.') depth += 1
    if (depth < 0) return true
  }
  return false
}

/** `meta.json` at the root or in the episode's own folder. */
export function isMeta(path: string, id: string): boolean {
  const clean = path.replace(/^\.\//, '')
  return clean === 'meta.json' || clean === `${id}/meta.json`
}
