/** What a new statement changes, and whether it has to be written at all. */
import type { TaintRow } from '@cis490/shared/taint.ts'
import { speaksOf, type TaintSubject, Taints } from './taints.ts'

export interface TaintEffect {
  /** Stored episodes that the statement speaks of. */
  readonly episodes: number
  /** Those of them that become tainted by it, or are so no more. */
  readonly changed: number
  /** `episodes` by host; rows of an older receiver may name none: `""`. */
  readonly hosts: Readonly<Record<string, number>>
}

/** Counts one episode after the other, so that an index of any size can pass. */
export class EffectCount {
  readonly #before: Taints
  readonly #after: Taints
  readonly #fits: (episode: TaintSubject) => boolean
  readonly #hosts = new Map<string, number>()
  #episodes = 0
  #changed = 0

  constructor(rows: readonly TaintRow[], added: TaintRow) {
    this.#before = new Taints(rows)
    this.#after = new Taints([...rows, added])
    this.#fits = speaksOf(added)
  }

  look(episode: TaintSubject): void {
    if (!this.#fits(episode)) return
    const host = episode.host ?? ''
    this.#episodes += 1
    this.#hosts.set(host, (this.#hosts.get(host) ?? 0) + 1)
    if ((this.#before.of(episode) === undefined) !== (this.#after.of(episode) === undefined)) this.#changed += 1
  }

  get effect(): TaintEffect {
    const hosts = Object.fromEntries([...this.#hosts].sort(([a], [b]) => (a < b ? -1 : 1)))
    return { episodes: this.#episodes, changed: this.#changed, hosts }
  }
}

export type WriteVerdict = 'write' | 'said-already' | 'nothing-to-undo'

/** @param rows what was said before, in its order */
export function shouldWrite(rows: readonly TaintRow[], added: TaintRow, effect: TaintEffect): WriteVerdict {
  const last = rows.findLast((row) => row.kind === added.kind && row.value === added.value && row.host === added.host)
  if (last?.state === added.state && last.reason === added.reason && effect.changed === 0) return 'said-already'
  if (added.state === 'tainted' || effect.changed > 0) return 'write'
  // No stored episode, but a statement that would hold for those that come.
  return rows.some((row) => row.state === 'tainted' && overlaps(row, added)) && last?.state !== 'cleared'
    ? 'write'
    : 'nothing-to-undo'
}

function overlaps(row: TaintRow, added: TaintRow): boolean {
  if (added.host !== undefined && row.host !== undefined && row.host !== added.host) return false
  if (row.kind === 'id' || added.kind === 'id') return row.kind === added.kind && row.value === added.value
  const commits: ReadonlySet<string> = new Set(row.commits)
  return (added.commits ?? []).some((commit) => commits.has(commit))
}
