/** What this host knows of one episode, as events in the words of a person. */
import type { ExplainEvent } from '@cis490/shared/explain.ts'
import { isProblemCode, problems } from '@cis490/shared/problems.ts'
import type { Finished } from './finished.ts'
import type { HistoryRow } from './history.ts'

export interface FolderFacts {
  readonly verdict: Finished
  readonly started_at?: string | undefined
  readonly ended_at?: string | undefined
  /** The stamp, where it is finished. */
  readonly commit?: string | undefined
  /** When meta.json was written last. */
  readonly meta_at?: string | undefined
}

export interface EntryFacts {
  readonly lane: 'ready' | 'gated' | 'quarantine'
  readonly bytes: number
  readonly commit?: string | undefined
  readonly attempts: number
  readonly last?: { readonly status: number; readonly code: string; readonly at: string } | undefined
  readonly next_at?: string | undefined
  readonly upload_offset?: number | undefined
}

export interface HostTrace {
  /** undefined: there is no folder. */
  readonly folder: FolderFacts | undefined
  /** Why the folder cannot be packed. */
  readonly refused: { readonly at: string; readonly path: string; readonly reason: string } | undefined
  readonly packed: readonly { readonly at: string; readonly sha256: string }[]
  readonly history: readonly HistoryRow[]
  readonly entry: EntryFacts | undefined
  readonly receipts: readonly { readonly received_at: string; readonly gate_position?: number | undefined }[]
  readonly tombstones: readonly {
    readonly at: string
    readonly by: string
    readonly reason: string
    readonly what?: string | undefined
  }[]
}

export function hostEvents(trace: HostTrace): ExplainEvent[] {
  const { folder, refused, entry, history } = trace
  return [
    ...(folder ? recorded(folder) : []),
    ...(refused ? [event(refused.at, 'pack-refused', `cannot be packed: ${refused.path}: ${refused.reason}`)] : []),
    ...trace.packed.map(({ at, sha256 }) => event(at, 'packed', `packed into the outbox, SHA-256 ${sha256}`, { sha256 })),
    ...history.map(changed),
    ...(entry?.last && !history.some(({ code }) => code === entry.last?.code) ? [lastAnswer(entry.last, entry.attempts)] : []),
    ...trace.receipts.map(({ received_at, gate_position: position }) =>
      event(
        received_at,
        'delivered',
        `delivered: the receipt is on this disk${position === undefined ? '' : `, position ${position}`}`,
      ),
    ),
    ...trace.tombstones.map(({ at, by, reason, what }) =>
      what === 'second-copy'
        ? event(at, 'second-copy-dropped', `its folder, a second copy, was let go by ${by}: ${reason}`)
        : event(at, 'dropped', `given up by ${by}: ${reason}`),
    ),
  ]
}

function event(at: string, what: string, text: string, data: object = {}): ExplainEvent {
  return { at, what, text, ...data }
}

function recorded({ started_at, ended_at, meta_at, verdict }: FolderFacts): ExplainEvent[] {
  return [
    ...(started_at === undefined ? [] : [event(started_at, 'recording-began', 'recording began')]),
    ...(ended_at === undefined ? [] : [event(ended_at, 'recording-ended', 'recording ended')]),
    ...(meta_at !== undefined && verdict.state === 'finished'
      ? [event(meta_at, 'finished', 'finished: meta.json was written last')]
      : []),
  ]
}

function changed({ at, what, lane, from, status, code, attempts }: HistoryRow): ExplainEvent {
  const data = { lane, attempts, ...(status !== undefined && { status }), ...(code !== undefined && { code }) }
  const said = code === undefined ? '' : ` (${answerText(status ?? 0, code)})`
  if (what === 'answer') return event(at, 'answer', `attempt ${attempts}: ${answerText(status ?? 0, code ?? '')}`, data)
  const moved = from === undefined ? `packed for the lane ${lane}` : `moved from ${from} to ${lane}`
  return event(at, 'lane', moved + said, data)
}

function lastAnswer({ at, status, code }: NonNullable<EntryFacts['last']>, attempts: number): ExplainEvent {
  return event(at, 'answer', `attempt ${attempts}: ${answerText(status, code)}`, { status, code, attempts })
}

/** `412 commit-not-in-window: The code that …` */
export function answerText(status: number, code: string): string {
  const title = isProblemCode(code) ? `: ${problems[code].title}` : ''
  return `${status === 0 ? '' : `${status} `}${code}${title}`
}
