/** What lies on the disk about one episode, as events in the words of a person. */
import type { ExplainEvent } from '@cis490/shared/explain.ts'
import { isProblemCode, problems } from '@cis490/shared/problems.ts'
import type { IndexRow, Receipt } from '@cis490/shared/receipt.ts'
import type { RejectRow } from '@cis490/shared/rejection.ts'
import type { TaintRow } from '@cis490/shared/taint.ts'

export interface OpenUpload {
  readonly created_at: string
  readonly offset: number
  readonly length: number
  readonly expires_at?: string | undefined
  /** It has had its answer and is kept to give it again. */
  readonly finished: boolean
}

/** A line of prunes.jsonl or losses.jsonl. */
export interface Act {
  readonly at: string
  readonly reason: string
  readonly by?: string | undefined
  /** Of a loss: where what is left of it lies, below the state folder. */
  readonly kept?: readonly string[] | undefined
}

export interface EpisodeTrace {
  readonly rejects: readonly RejectRow[]
  readonly uploads: readonly OpenUpload[]
  readonly receipt: Receipt | undefined
  readonly row: IndexRow | undefined
  readonly archive: boolean
  /** Statements that speak of it. */
  readonly taints: readonly TaintRow[]
  readonly prunes: readonly Act[]
  readonly losses: readonly Act[]
}

/** In the order of their kinds: events of one moment stay so. */
export function eventsOf(trace: EpisodeTrace): ExplainEvent[] {
  const { receipt, row, archive } = trace
  return [
    ...trace.rejects.map(refused),
    ...trace.uploads.map(upload),
    ...(receipt ? [received(receipt)] : []),
    ...(row ? [indexed(row, receipt, archive)] : []),
    ...trace.taints.map(tainted),
    ...trace.prunes.map((act) => event(act, 'pruned', `taken out of the store by ${act.by ?? 'somebody'}: ${act.reason}`)),
    ...trace.losses.map((act) => lost(act)),
  ]
}

function lost(act: Act): ExplainEvent {
  const kept = act.kept?.length ? `; what is left of it: ${act.kept.join(', ')}` : ''
  return event(act, 'lost', `found to be lost: ${act.reason}${kept}`)
}

function event({ at }: { at: string }, what: string, text: string, data: object = {}): ExplainEvent {
  return { at, what, text, ...data }
}

function refused(row: RejectRow): ExplainEvent {
  const { status, code, commit, bytes_read, remote, host } = row
  const title = isProblemCode(code) ? problems[code].title : code
  const stamp = commit === undefined ? 'without a stamp' : `stamp ${commit}`
  const who = host === undefined ? `, from ${remote ?? 'somewhere'}, by whom is not known` : ''
  const data = { status, code, ...(commit !== undefined && { commit }), ...(bytes_read !== undefined && { bytes_read }) }
  return event(row, 'refused', `upload refused: ${status} ${code}: ${title} (${stamp}${who})`, data)
}

function upload({ created_at, offset, length, expires_at, finished }: OpenUpload): ExplainEvent {
  const data = { offset, length, finished, ...(expires_at !== undefined && { expires_at }) }
  const until = expires_at === undefined ? '' : `, kept until ${expires_at}`
  const text = finished ? 'a resumable upload was begun, and has had its answer' : 'a resumable upload was begun'
  return event({ at: created_at }, 'upload', `${text}: ${offset} of ${length} bytes are here${until}`, data)
}

const why = {
  observe: 'let in although its stamp is not in the window: the gate only observes',
  waiver: 'let in by a waiver: its stamp is not in the window',
} as const

function received(receipt: Receipt): ExplainEvent {
  const { received_at: at, sha256, bytes, commit, verdict, gate_position, backfilled } = receipt
  const data = {
    ...{ sha256, bytes },
    ...(commit !== undefined && { commit }),
    ...(verdict !== undefined && { verdict }),
    ...(gate_position !== undefined && { gate_position }),
  }
  if (backfilled)
    return event({ at }, 'received', `taken over from what lay on the disk: ${bytes} bytes`, { ...data, backfilled })
  const gate =
    verdict !== undefined
      ? why[verdict]
      : gate_position !== undefined
        ? `its stamp was at position ${gate_position} of the window`
        : 'the gate was not asked'
  return event({ at }, 'received', `stored and acknowledged: ${bytes} bytes; ${gate}`, data)
}

function indexed(row: IndexRow, receipt: Receipt | undefined, archive: boolean): ExplainEvent {
  const number = row.seq === undefined ? 'a row of an older receiver' : `row ${row.seq} of the index`
  const gone = archive ? '' : '; its archive is not there'
  const data = row.seq === undefined ? {} : { seq: row.seq }
  return event({ at: row.received_at ?? receipt?.received_at ?? '' }, 'indexed', `${number}${gone}`, data)
}

function tainted(row: TaintRow): ExplainEvent {
  const said = row.kind === 'id' ? 'this episode' : `${row.kind} ${row.value}`
  const text =
    row.state === 'tainted'
      ? `${said} was marked as bad by ${row.by}: ${row.reason}`
      : `${said} was cleared by ${row.by}: ${row.reason}`
  return event(row, row.state, text, { reason: row.reason, by: row.by })
}
