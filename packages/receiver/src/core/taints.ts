/** Which stored episodes are tainted, by everything that was ever said about them. */
import type { TaintMark, TaintRow } from '@cis490/shared/taint.ts'

/** The part of an index row that a taint can speak of. */
export interface TaintSubject {
  readonly id: string
  readonly host?: string | undefined
  readonly commit?: string | null | undefined
}

interface Statement {
  readonly order: number
  readonly row: TaintRow
}

/** Statements about one commit or one id: the last for all hosts, and the last for each host that was named. */
interface Said {
  everywhere?: Statement
  readonly hosts: Map<string, Statement>
}

/**
 * What is said about an id is closer than what is said about its commit; of two statements that are equally close, the later one counts.
 * So a range can be tainted and a single episode that was checked be cleared, and clearing a commit does not clear an id that has a taint of its own.
 */
export class Taints {
  readonly #ids = new Map<string, Said>()
  readonly #commits = new Map<string, Said>()
  #size = 0

  /** @param rows in the order in which they were written */
  constructor(rows: Iterable<TaintRow> = []) {
    for (const row of rows) this.add(row)
  }

  add(row: TaintRow): void {
    const statement = { order: this.#size, row }
    this.#size += 1
    if (row.kind === 'id') note(this.#ids, row.id ?? row.value, statement)
    else for (const commit of row.commits ?? []) note(this.#commits, commit, statement)
  }

  /** Statements, taken back ones included. */
  get size(): number {
    return this.#size
  }

  /** @returns the statement in force, or undefined for an episode that nothing stands against */
  of(episode: TaintSubject): TaintMark | undefined {
    const commit = episode.commit ?? undefined
    const row =
      latest(this.#ids.get(episode.id), episode.host) ??
      (commit === undefined ? undefined : latest(this.#commits.get(commit.toLowerCase()), episode.host))
    return row?.state === 'tainted' ? { reason: row.reason, at: row.at, by: row.by } : undefined
  }
}

/** Tells of each episode whether this statement speaks of it at all. */
export function speaksOf(row: TaintRow): (episode: TaintSubject) => boolean {
  const commits: ReadonlySet<string> = new Set(row.kind === 'id' ? [] : row.commits)
  const id = row.kind === 'id' ? (row.id ?? row.value) : undefined
  return (episode) =>
    (row.host === undefined || row.host === episode.host) &&
    (episode.id === id || (typeof episode.commit === 'string' && commits.has(episode.commit.toLowerCase())))
}

function note(map: Map<string, Said>, key: string, statement: Statement): void {
  const said: Said = map.get(key) ?? { hosts: new Map() }
  if (statement.row.host === undefined) said.everywhere = statement
  else said.hosts.set(statement.row.host, statement)
  map.set(key, said)
}

function latest(said: Said | undefined, host: string | undefined): TaintRow | undefined {
  const here = host === undefined ? undefined : said?.hosts.get(host)
  const everywhere = said?.everywhere
  if (here && everywhere) return (here.order > everywhere.order ? here : everywhere).row
  return (here ?? everywhere)?.row
}
