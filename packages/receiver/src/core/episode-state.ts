/** One episode as it lies in the store, held against its row: what is wrong, and what mends it. Pure. */
import { parseObject } from '@cis490/shared/jsonl.ts'
import { type IndexRow, Receipt } from '@cis490/shared/receipt.ts'
import type { EpisodeKey } from './episode-key.ts'
import type { FindingKind } from './finding.ts'

export interface RowFacts {
  readonly row: IndexRow
  readonly line: number
  /** What the next line's `prev` says of this row; undefined where no line follows. */
  readonly confirmed: boolean | undefined
}

export type SidecarFacts =
  | { readonly state: 'missing' }
  | { readonly state: 'damaged' }
  /** @property uploading the upload that wrote it still has its own name for it */
  | { readonly state: 'good'; readonly receipt: Receipt; readonly text: string; readonly uploading: boolean }

export interface ArchiveFacts {
  readonly bytes: number
  /** undefined: nobody has read it. */
  readonly sha256: string | undefined
}

export interface EpisodeFacts {
  readonly key: EpisodeKey
  /** The first one counts; others are duplicates. */
  readonly rows: readonly RowFacts[]
  readonly archive: ArchiveFacts | undefined
  readonly sidecar: SidecarFacts
  readonly pruned: boolean
}

export type Mend =
  /** The receipt that holds: the sidecar and the row are made from it where they say something else. */
  | { readonly do: 'keep'; readonly receipt: Receipt; readonly text: string; readonly sidecar: boolean; readonly row: boolean }
  /** An older receiver's row and nothing else: it stays as it is. */
  | { readonly do: 'nothing' }
  | { readonly do: 'lose'; readonly reason: FindingKind; readonly receipt: Receipt | undefined }
  | { readonly do: 'remove-sidecar' }
  /** From meta.json. @property otherwise where nothing sound speaks against the archive: what is lost if it does not unpack */
  | { readonly do: 'backfill'; readonly otherwise?: { readonly reason: FindingKind; readonly receipt: Receipt } }
  /** A row under another name than the archive that it speaks of: it goes, and nothing is lost. */
  | { readonly do: 'drop-row' }

export interface Fault {
  readonly kind: FindingKind
  readonly detail: string
}

export interface EpisodeVerdict {
  readonly faults: readonly Fault[]
  readonly mend: Mend
}

/** The receipt in a row: everything but its place in the chain, in the row's order. */
export function receiptOfRow({ seq: _seq, prev: _prev, ...rest }: IndexRow, key: EpisodeKey): Receipt | undefined {
  return receiptFor(rest, key)
}

/** @returns the receipt as it was written, if it is one and this episode's */
export function receiptFor(value: unknown, key: EpisodeKey): Receipt | undefined {
  const parsed = Receipt.safeParse(value)
  // The parsed copy has its keys in another order; the bytes of a receipt count.
  return parsed.success && parsed.data.host === key.host && parsed.data.id === key.id ? (value as Receipt) : undefined
}

export function readSidecar(text: string | undefined, uploading: boolean, key: EpisodeKey): SidecarFacts {
  if (text === undefined) return { state: 'missing' }
  const receipt = receiptFor(parseObject(text), key)
  return receipt ? { state: 'good', receipt, text, uploading } : { state: 'damaged' }
}

/** Whether the archive has to be read before it can be said which receipt holds. */
export function inDoubt({ key, rows, sidecar, pruned, archive }: EpisodeFacts): boolean {
  const [row] = rows
  if (pruned) return false
  if (!row || sidecar.state !== 'good' || rows.length > 1 || archive?.bytes !== sidecar.receipt.bytes) return true
  const receipt = receiptOfRow(row.row, key)
  return receipt !== undefined && !sameFields(receipt, sidecar.receipt)
}

export function judgeEpisode(facts: EpisodeFacts): EpisodeVerdict {
  const [row] = facts.rows
  // A row without seq is an older receiver's, and may say less than a receipt does.
  const older = row !== undefined && row.row.seq === undefined
  const receipt = holds(facts)
  if (facts.pruned) return judgePruned(facts, receipt)
  if (!facts.archive) return judgeGone(facts, receipt)
  const faults: Fault[] = []
  if (!row) faults.push({ kind: 'archive-without-row', detail: facts.key.id })
  if (facts.sidecar.state === 'missing') faults.push({ kind: 'archive-without-sidecar', detail: facts.key.id })
  if (facts.sidecar.state === 'damaged') faults.push({ kind: 'sidecar-damaged', detail: facts.key.id })
  if (row && differs(row.row, facts.sidecar)) faults.push({ kind: 'sidecar-differs', detail: facts.key.id })
  if (!receipt) return { faults, mend: older && faults.length === 0 ? { do: 'nothing' } : { do: 'backfill' } }
  const wrong = contradiction(facts.archive, receipt.receipt)
  if (!wrong) return { faults, mend: keep(facts, receipt, older) }
  return { faults: [...faults, wrong], mend: mendWrong(facts, receipt, wrong.kind) }
}

/** An archive is only written off on the word of what is sound itself. */
function mendWrong(facts: EpisodeFacts, held: Held, reason: FindingKind): Mend {
  const archive = facts.archive as ArchiveFacts
  // Bytes that have the promised hash are the promised bytes: it is their number that was edited.
  const promised = candidatesOf(facts).find(({ receipt }) => receipt.sha256 === archive.sha256)
  if (promised) {
    const receipt = { ...promised.receipt, bytes: archive.bytes }
    return keep(facts, { receipt, text: JSON.stringify(receipt) }, false)
  }
  const vouched = facts.sidecar.state === 'good' || facts.rows.some(({ confirmed }) => confirmed === true)
  if (vouched || archive.sha256 === undefined) return { do: 'lose', reason, receipt: held.receipt }
  return { do: 'backfill', otherwise: { reason, receipt: held.receipt } }
}

function judgePruned(facts: EpisodeFacts, receipt: Held | undefined): EpisodeVerdict {
  const [row] = facts.rows
  const faults: Fault[] = []
  if (facts.archive) faults.push({ kind: 'prune-unfinished', detail: facts.key.id })
  if (!row) faults.push({ kind: 'pruned-without-row', detail: facts.key.id })
  if (facts.sidecar.state === 'missing') faults.push({ kind: 'pruned-without-sidecar', detail: facts.key.id })
  if (facts.sidecar.state === 'damaged') faults.push({ kind: 'sidecar-damaged', detail: facts.key.id })
  if (row && differs(row.row, facts.sidecar)) faults.push({ kind: 'sidecar-differs', detail: facts.key.id })
  if (!receipt) return { faults, mend: { do: 'nothing' } }
  return { faults, mend: keep(facts, receipt, row !== undefined && row.row.seq === undefined) }
}

function judgeGone(facts: EpisodeFacts, receipt: Held | undefined): EpisodeVerdict {
  const [row] = facts.rows
  const lone = facts.sidecar.state !== 'missing'
  const faults: Fault[] = []
  if (row) faults.push({ kind: 'row-without-archive', detail: `seq ${row.row.seq ?? 'none'}` })
  if (lone) faults.push({ kind: 'sidecar-without-archive', detail: facts.key.id })
  // The upload died between its two names, and nobody was promised anything.
  if (!row && facts.sidecar.state === 'good' && facts.sidecar.uploading) return { faults, mend: { do: 'remove-sidecar' } }
  const reason = row ? 'row-without-archive' : 'sidecar-without-archive'
  return { faults, mend: faults.length === 0 ? { do: 'nothing' } : { do: 'lose', reason, receipt: receipt?.receipt } }
}

interface Held {
  readonly receipt: Receipt
  readonly text: string
}

/** Of several receipts that one holds which the archive agrees with; then what row and sidecar both say; then a row that the next line vouches for; then the sidecar. */
function holds(facts: EpisodeFacts): Held | undefined {
  const { archive } = facts
  const candidates = candidatesOf(facts)
  return candidates.find(({ receipt }) => archive && !contradiction(archive, receipt)) ?? candidates[0]
}

function candidatesOf({ sidecar, key, ...facts }: EpisodeFacts): Held[] {
  const fromRows = facts.rows.flatMap((one) => {
    const receipt = receiptOfRow(one.row, key)
    return receipt ? [{ receipt, text: JSON.stringify(receipt), confirmed: one.confirmed === true }] : []
  })
  const fromSidecar = sidecar.state === 'good' ? [{ receipt: sidecar.receipt, text: sidecar.text }] : []
  const confirmed = fromRows.filter((one) => one.confirmed)
  const both = fromSidecar.filter((one) => fromRows.some(({ receipt }) => sameFields(receipt, one.receipt)))
  return [...both, ...confirmed, ...fromSidecar, ...fromRows]
}

function contradiction(archive: ArchiveFacts, receipt: Receipt): (Fault & { kind: 'wrong-size' | 'wrong-hash' }) | undefined {
  if (archive.bytes !== receipt.bytes)
    return { kind: 'wrong-size', detail: `${archive.bytes} bytes, the receipt says ${receipt.bytes}` }
  if (archive.sha256 === undefined || archive.sha256 === receipt.sha256) return undefined
  return { kind: 'wrong-hash', detail: `it has ${archive.sha256}, the receipt says ${receipt.sha256}` }
}

function keep(facts: EpisodeFacts, { receipt, text }: Held, older: boolean): Mend {
  const [row] = facts.rows
  const rowReceipt = row && receiptOfRow(row.row, facts.key)
  const sameRow = row !== undefined && (older || (rowReceipt !== undefined && sameFields(rowReceipt, receipt)))
  const sameSidecar = facts.sidecar.state === 'good' && sameFields(facts.sidecar.receipt, receipt)
  return { do: 'keep', receipt, text, sidecar: !sameSidecar, row: !sameRow }
}

/** An older receiver's row says less than a receipt: what it says has to agree. */
function differs(row: IndexRow, sidecar: SidecarFacts): boolean {
  if (sidecar.state !== 'good') return false
  const { seq, prev: _prev, ...said } = row
  if (seq !== undefined) return !sameFields(said, sidecar.receipt)
  return said.sha256 !== undefined && said.sha256 !== sidecar.receipt.sha256
}

function sameFields(a: object, b: object): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
  return sorted(a) === sorted(b)
}
