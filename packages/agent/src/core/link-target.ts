/** Does a symlink inside an episode stay inside it? */

/** Targets of the symlinks of the tree, by path below the episode's folder. */
export type Links = ReadonlyMap<string, string>

const maxHops = 40

/**
 * True only if the target is relative and stays inside both as text and when the symlinks on its way are followed:
 * `s/..` is not where it seems to be if `s` is itself a link.
 */
export function staysInside(path: string, target: string, links: Links): boolean {
  if (target.startsWith('/') || target === '') return false
  const folder = path.split('/').slice(0, -1)
  return follows(folder, target, new Map()) && follows(folder, target, links)
}

function follows(folder: readonly string[], target: string, links: Links): boolean {
  const at = [...folder]
  const todo = target.split('/').reverse()
  let hops = 0
  for (let step = todo.pop(); step !== undefined; step = todo.pop()) {
    if (step === '' || step === '.') continue
    if (step === '..') {
      if (at.pop() === undefined) return false
      continue
    }
    at.push(step)
    const next = links.get(at.join('/'))
    if (next === undefined) continue
    hops += 1
    if (next.startsWith('/') || hops > maxHops) return false
    at.pop()
    todo.push(...next.split('/').reverse())
  }
  return true
}
