/** The set test: what was acknowledged is there exactly once, as it was acknowledged, and nothing else is. Pure. */
import { keyOf, type Put, type Read } from './history.ts'

export type ViolationKind =
  | 'lost'
  | 'row-without-file'
  | 'file-without-row'
  | 'file-differs'
  | 'receipt-differs'
  | 'duplicate-row'
  | 'two-hashes'
  | 'two-created'
  | 'receipt-changed'
  | 'stamp-lost'
  | 'refused-but-stored'
  | 'stored-unasked'
  | 'sidecar-missing'
  | 'conflict-with-nothing'
  | 'stale-read'
  | 'unexpected-answer'
  | 'left-in-incoming'
  | 'broken-chain'
  | 'upload-broken'

export interface Violation {
  readonly kind: ViolationKind
  /** `host/id`, or a file. */
  readonly at: string
  readonly detail: string
}

export interface StoredRow {
  readonly host: string
  readonly id: string
  readonly sha256: string
  readonly commit?: string | undefined
}

/** The store as it lies on disk after a last recovery. */
export interface Stored {
  readonly rows: readonly StoredRow[]
  /** Hash of each archive's bytes by `host/id`. */
  readonly files: ReadonlyMap<string, string>
  /** Text of each sidecar by `host/id`. */
  readonly sidecars: ReadonlyMap<string, string>
  readonly incoming: readonly string[]
  /** What is wrong with `seq` and `prev`, a line each. */
  readonly chain: readonly string[]
}

/** A receipt that an agent holds. */
export interface HeldReceipt extends StoredRow {
  /** As the agent wrote it down. */
  readonly text: string
}

/** Answers that an honest upload may get from a healthy receiver on a bad line. */
export const expectedCodes: ReadonlySet<string> = new Set([
  'content-conflict',
  'upload-in-progress',
  'overloaded',
  'rate',
  'too-slow',
  'half-closed',
  'gate-unavailable',
])

export function checkHistory(
  puts: readonly Put[],
  reads: readonly Read[],
  held: readonly HeldReceipt[],
  stored: Stored,
): Violation[] {
  const found: Violation[] = []
  const say = (kind: ViolationKind, at: string, detail: string) => void found.push({ kind, at, detail })
  const rows = new Map<string, StoredRow>()
  for (const row of stored.rows) {
    if (rows.has(keyOf(row))) say('duplicate-row', keyOf(row), `more than one row, the second for ${row.sha256}`)
    else rows.set(keyOf(row), row)
  }
  checkStore(stored, rows, say)
  const byKey = Map.groupBy(puts, keyOf)
  const heldKeys = new Set(held.map(keyOf))
  for (const key of rows.keys())
    if (!byKey.has(key) && !heldKeys.has(key)) say('stored-unasked', key, 'nobody sent this, or its sender holds no receipt')
  for (const [key, all] of byKey) checkEpisode(key, all, rows.get(key), stored.sidecars.get(key), say)
  for (const receipt of held) checkHeld(receipt, rows.get(keyOf(receipt)), stored.sidecars.get(keyOf(receipt)), say)
  checkReads(reads, byKey, rows, say)
  return found
}

type Say = (kind: ViolationKind, at: string, detail: string) => void

function checkStore(stored: Stored, rows: ReadonlyMap<string, StoredRow>, say: Say): void {
  for (const [key, row] of rows) {
    const file = stored.files.get(key)
    if (file === undefined) say('row-without-file', key, `the row says ${row.sha256}; there is no archive`)
    else if (file !== row.sha256) say('file-differs', key, `the row says ${row.sha256}; the archive is ${file}`)
  }
  for (const key of stored.files.keys()) if (!rows.has(key)) say('file-without-row', key, 'an archive without a row')
  for (const key of rows.keys()) if (!stored.sidecars.has(key)) say('sidecar-missing', key, 'a row without its sidecar')
  for (const key of stored.sidecars.keys()) if (!rows.has(key)) say('file-without-row', key, 'a sidecar without a row')
  for (const name of stored.incoming) say('left-in-incoming', `incoming/${name}`, 'nothing runs any more')
  for (const line of stored.chain) say('broken-chain', 'index.jsonl', line)
}

function checkHeld(receipt: HeldReceipt, row: StoredRow | undefined, sidecar: string | undefined, say: Say): void {
  const key = keyOf(receipt)
  if (!row) say('lost', key, `an agent holds a receipt for ${receipt.sha256}; there is no row`)
  else if (row.sha256 !== receipt.sha256)
    say('two-hashes', key, `an agent holds a receipt for ${receipt.sha256}; the row says ${row.sha256}`)
  else if (row.commit !== receipt.commit)
    say('stamp-lost', key, `the agent's receipt says ${receipt.commit}, the row ${row.commit}`)
  else if (sidecar?.trim() !== receipt.text.trim())
    say('receipt-differs', key, `the agent has ${receipt.text}; the sidecar is ${sidecar}`)
}

/** All that was asked about one episode, against its row. */
function checkEpisode(key: string, all: readonly Put[], row: StoredRow | undefined, sidecar: string | undefined, say: Say): void {
  const acknowledged = all.filter(({ outcome }) => outcome === 'ok')
  const [first] = acknowledged
  if (first && !row) say('lost', key, `${first.status} to ${first.client} at ${first.began} ms; there is no row`)
  const hashes = new Set(acknowledged.map(({ sha256 }) => sha256))
  if (hashes.size > 1) say('two-hashes', key, `acknowledged: ${[...hashes].join(', ')}`)
  else if (first && row && row.sha256 !== first.sha256)
    say('two-hashes', key, `acknowledged ${first.sha256}, the row says ${row.sha256}`)
  // The final answer of an upload is kept for whoever asks again: told twice, it is still one.
  const created = acknowledged.filter(({ status }) => status === 201)
  const times = new Set(created.map((put) => put.upload ?? put)).size
  if (times > 1) say('two-created', key, `201 was told ${times} times`)
  for (const { receipt } of acknowledged)
    if (receipt !== first?.receipt) {
      say('receipt-changed', key, `${first?.receipt?.trim()} and ${receipt?.trim()}`)
      break
    }
  if (first && sidecar !== first.receipt) say('receipt-differs', key, `the sidecar is not the receipt: ${sidecar?.trim()}`)
  for (const put of all) checkAnswer(key, put, row, say)
  if (row) checkRow(key, all, row, say)
}

function checkAnswer(key: string, put: Put, row: StoredRow | undefined, say: Say): void {
  const honest = put.kind !== 'wrong-hash' && put.kind !== 'stale-stamp'
  if (put.outcome === 'ok' && !honest) say('unexpected-answer', key, `${put.kind} was acknowledged with ${put.status}`)
  if (put.code === 'content-conflict' && (row?.sha256 !== put.stored || put.stored === put.sha256))
    say('conflict-with-nothing', key, `a conflict with ${put.stored} was told; the row says ${row?.sha256}`)
  const wanted = put.kind === 'wrong-hash' ? 'sha256-mismatch' : put.kind === 'stale-stamp' ? 'commit-not-in-window' : undefined
  if (put.status !== undefined && put.outcome !== 'ok' && put.code !== wanted && !expectedCodes.has(put.code ?? ''))
    say('unexpected-answer', key, `${put.kind}: ${put.status} ${put.code ?? 'without a code'}`)
}

function checkRow(key: string, all: readonly Put[], row: StoredRow, say: Say): void {
  const honest = all.filter(({ kind }) => kind !== 'wrong-hash' && kind !== 'stale-stamp')
  const could = honest.filter((put) => put.sha256 === row.sha256 && put.outcome !== 'fail')
  if (could.length === 0)
    say('refused-but-stored', key, `${row.sha256} is stored, and every request for it was refused or had to be`)
  else if (!could.some(({ commit }) => commit === row.commit))
    say('stamp-lost', key, `the row's stamp is ${row.commit ?? 'missing'}`)
}

const expectedReads: ReadonlySet<number> = new Set([200, 404, 429, 503])

/** Who asks after an acknowledgement sees it. */
function checkReads(
  reads: readonly Read[],
  byKey: ReadonlyMap<string, readonly Put[]>,
  rows: ReadonlyMap<string, StoredRow>,
  say: Say,
): void {
  for (const read of reads) {
    const key = keyOf(read)
    const known = byKey.get(key)?.some(({ outcome, ended }) => outcome === 'ok' && ended < read.began)
    if (!expectedReads.has(read.status)) say('unexpected-answer', key, `HEAD was answered ${read.status}`)
    if (read.status === 404 && known) say('stale-read', key, `404 at ${read.began} ms, after it was acknowledged`)
    if (read.status === 200 && read.sha256 !== rows.get(key)?.sha256)
      say('stale-read', key, `ETag ${read.sha256} at ${read.began} ms, the row says ${rows.get(key)?.sha256}`)
  }
}
