/** Holds the index against the store: reads everything, changes nothing. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { firstPrev, type IndexRow, Receipt } from '@cis490/shared/receipt.ts'
import { hashFile } from './hash-file.ts'
import { lineHash } from './index-log.ts'
import { readIndex } from './index-reader.ts'
import type { StoreLayout } from './layout.ts'
import { walkShelves } from './walk.ts'

export const findingTitles = {
  'torn-tail': 'the index ends inside a row',
  'damaged-row': 'a line of the index is no row',
  'broken-chain': 'a row does not follow the line before it: something was removed, edited or put in',
  'duplicate-row': 'an episode has a second row',
  'row-without-archive': 'a row whose archive is gone',
  'archive-without-row': 'an archive that the index does not know',
  'archive-without-sidecar': 'an archive without its receipt',
  'sidecar-without-archive': 'a receipt without its archive',
  'sidecar-differs': 'a receipt that is not what the row says',
  'wrong-size': 'an archive of another size than its row says',
  'wrong-hash': 'an archive with other bytes than its row says',
  stranger: 'a file that does not belong there',
} as const
export type FindingKind = keyof typeof findingTitles

export interface Finding {
  readonly kind: FindingKind
  /** Line of the index, or path below the state folder. */
  readonly at: string
  readonly detail: string
}

export interface FsckOptions {
  readonly verifyHashes: boolean
  /** Told after each archive that was looked at. */
  onArchive?(done: number): void
}

export interface FsckResult {
  readonly rows: number
  readonly archives: number
  readonly findings: readonly Finding[]
}

export async function fsck(layout: StoreLayout, options: FsckOptions): Promise<FsckResult> {
  const findings: Finding[] = []
  // The store first: an archive has its name before its row is written, so a receiver at work is no finding.
  const shelves = await Array.fromAsync(walkShelves(layout))
  const { rows, byKey } = await checkIndex(layout, findings)
  let archives = 0
  for (const shelf of shelves) {
    const at = (name: string) => join(shelf.path, name).slice(layout.root.length + 1)
    for (const name of shelf.strangers) findings.push({ kind: 'stranger', at: at(name), detail: name })
    for (const id of shelf.sidecars)
      if (!shelf.archives.has(id)) findings.push({ kind: 'sidecar-without-archive', at: at(`${id}.json`), detail: id })
    for (const id of shelf.archives) {
      const key = `${shelf.host}/${id}`
      const row = byKey.get(key)
      byKey.delete(key)
      findings.push(...(await checkArchive(shelf.path, id, row, options.verifyHashes, at)))
      archives += 1
      options.onArchive?.(archives)
    }
  }
  for (const [key, row] of byKey) findings.push({ kind: 'row-without-archive', at: key, detail: `seq ${row.seq ?? 'none'}` })
  return { rows, archives, findings }
}

async function checkIndex(layout: StoreLayout, findings: Finding[]): Promise<{ rows: number; byKey: Map<string, IndexRow> }> {
  const byKey = new Map<string, IndexRow>()
  let prev = firstPrev
  let rows = 0
  let bytes = 0
  for await (const line of readIndex(layout.index)) {
    const at = `index.jsonl:${line.number}`
    rows = line.number
    bytes += line.bytes.length + 1
    if (!line.row) findings.push({ kind: 'damaged-row', at, detail: 'not a JSON object with an id' })
    else {
      const fault = chainFault(line.row, line.number, prev)
      if (fault) findings.push({ kind: 'broken-chain', at, detail: fault })
      note(line.row, at, byKey, findings)
    }
    prev = lineHash(line.bytes)
  }
  const size = await stat(layout.index).then(
    (info) => info.size,
    () => 0,
  )
  if (size > bytes) findings.push({ kind: 'torn-tail', at: `index.jsonl:${rows + 1}`, detail: `${size - bytes} bytes` })
  return { rows, byKey }
}

/** Rows of an older receiver have neither seq nor prev; the first of ours names the last of them. */
function chainFault(row: IndexRow, number: number, prev: string): string | undefined {
  if (row.seq === undefined && row.prev === undefined) return undefined
  if (row.seq !== number) return `seq ${row.seq} on line ${number}`
  return row.prev === prev ? undefined : 'prev is not the hash of the line before'
}

function note(row: IndexRow, at: string, byKey: Map<string, IndexRow>, findings: Finding[]): void {
  const host = HostName.safeParse(row.host).data
  const id = EpisodeId.safeParse(row.id).data
  // An older receiver's row without a host cannot name a file of this store; `backfill --adopt` gives it one that can.
  if (host === undefined || id === undefined) return
  if (byKey.has(`${host}/${id}`)) findings.push({ kind: 'duplicate-row', at, detail: `${host}/${id}` })
  else byKey.set(`${host}/${id}`, row)
}

async function checkArchive(
  folder: string,
  id: string,
  row: IndexRow | undefined,
  verifyHashes: boolean,
  at: (name: string) => string,
): Promise<Finding[]> {
  const archive = `${id}.tar.zst`
  const sidecar = await readFile(join(folder, `${id}.json`), 'utf8').catch(() => undefined)
  const receipt = sidecar === undefined ? undefined : Receipt.safeParse(parseObject(sidecar)).data
  const findings: Finding[] = []
  if (sidecar === undefined) findings.push({ kind: 'archive-without-sidecar', at: at(archive), detail: id })
  if (!row) findings.push({ kind: 'archive-without-row', at: at(archive), detail: id })
  if (row && sidecar !== undefined && !agree(row, receipt))
    findings.push({ kind: 'sidecar-differs', at: at(`${id}.json`), detail: id })
  const expected = row ?? receipt
  if (!expected) return findings
  const { size } = await stat(join(folder, archive))
  if (expected.bytes !== undefined && size !== expected.bytes)
    findings.push({ kind: 'wrong-size', at: at(archive), detail: `${size} bytes, the row says ${expected.bytes}` })
  else if (verifyHashes && expected.sha256 !== undefined && (await hashFile(join(folder, archive))) !== expected.sha256)
    findings.push({ kind: 'wrong-hash', at: at(archive), detail: id })
  return findings
}

/** The row is the receipt plus seq and prev, field by field. */
function agree({ seq: _seq, prev: _prev, ...row }: IndexRow, receipt: Receipt | undefined): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  return receipt !== undefined && sorted(row) === sorted(receipt)
}
