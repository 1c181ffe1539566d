/** Counts what happened, from log rows and index rows. Pure: what counts as a failure is decided here. */

type Row = Record<string, unknown>

export interface Summary {
  readonly transfers: {
    readonly small: number
    readonly large: number
    /** Large ones during which their host renewed. */
    readonly across: number
    readonly resumed: number
  }
  readonly renewals: { readonly hosts: number; readonly receiver: number; readonly certificates: number }
  /** A line each. */
  readonly failures: readonly string[]
}

export interface Seen {
  /** Log rows of the agents, by host. */
  readonly agents: Readonly<Record<string, readonly Row[]>>
  readonly receiver: readonly Row[]
  readonly index: readonly Row[]
  readonly rejects: readonly Row[]
  /** Ids that were recorded. */
  readonly recorded: readonly string[]
  /** When the first byte of a large one can have been sent, epoch ms, by id. */
  readonly begun: ReadonlyMap<string, number>
  /** How programs ended that ended otherwise than they were asked to. */
  readonly complaints: readonly string[]
}

/** pino's */
const warn = 40

export function summarize(seen: Seen): Summary {
  const large = seen.index.filter(({ id }) => seen.begun.has(String(id)))
  const all = Object.values(seen.agents).flat()
  const certificates = new Set(seen.index.map((row) => row['cert_fingerprint'])).size
  const renewals = {
    hosts: count(all, 'certificate-renewed'),
    receiver: count(seen.receiver, 'server-certificate'),
    certificates,
  }
  return {
    transfers: {
      small: seen.index.length - large.length,
      large: large.length,
      across: large.filter((row) => crossed(row, seen)).length,
      resumed: count(all, 'resumed'),
    },
    renewals,
    failures: [...told(seen), ...missing(seen), ...absent(renewals)],
  }
}

function count(rows: readonly Row[], event: string): number {
  return rows.filter((row) => row['event'] === event).length
}

function crossed({ id, host }: Row, { agents, begun }: Seen): boolean {
  const rows = agents[String(host)] ?? []
  const from = begun.get(String(id)) ?? Number.POSITIVE_INFINITY
  const to = timeOf(rows.find((row) => row['event'] === 'delivered' && row['id'] === id))
  return rows.some((row) => row['event'] === 'certificate-renewed' && timeOf(row) > from && timeOf(row) < to)
}

function timeOf(row: Row | undefined): number {
  return typeof row?.['time'] === 'number' ? row['time'] : Date.parse(String(row?.['time']))
}

/** Whatever a program found worth a warning. */
function told({ agents, receiver, rejects, complaints }: Seen): string[] {
  const loud = (rows: readonly Row[]) => rows.filter((row) => levelOf(row) >= warn).map((row) => JSON.stringify(row))
  const hosts = Object.entries(agents).flatMap(([name, rows]) => loud(rows).map((row) => `${name}: ${row}`))
  const refused = rejects.map((row) => `refused: ${JSON.stringify(row)}`)
  return [...complaints, ...hosts, ...loud(receiver).map((row) => `receiver: ${row}`), ...refused]
}

function levelOf({ level }: Row): number {
  return typeof level === 'number' ? level : ({ warn: 40, error: 50, fatal: 60 }[String(level).toLowerCase()] ?? 0)
}

function missing({ recorded, index }: Seen): string[] {
  const stored = new Map<string, number>()
  for (const { id } of index) stored.set(String(id), (stored.get(String(id)) ?? 0) + 1)
  return recorded.filter((id) => stored.get(id) !== 1).map((id) => `${id} is stored ${stored.get(id) ?? 0} times`)
}

function absent({ hosts, receiver }: Summary['renewals']): string[] {
  return [
    ...(hosts === 0 ? ['no host renewed'] : []),
    ...(receiver < 2 ? ['the receiver did not renew its own certificate'] : []),
  ]
}
