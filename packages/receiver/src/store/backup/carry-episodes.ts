/** Carries the episodes that rows name from one store to another, receipt before archive, and only what is not there yet. */
import { createHash, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { inParallel } from '@cis490/shared/in-parallel.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, moveOver, removeFile, syncDir, writeNew } from '@cis490/shared/node/durable.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import { type Cargo, cargoOf } from '../../core/backup.ts'
import { readIndex } from '../index-reader.ts'
import type { EpisodeKey, StoreLayout } from '../layout.ts'
import { Prunes } from '../prunes.ts'
import { type Carried, type CarryOptions, carryFile } from './carry-file.ts'

export interface CarryCount {
  readonly counts: Record<Exclude<Carried, 'missing' | 'damaged'> | 'pruned', number>
  bytes: number
  /** Not carried: the source has not what its row says. */
  readonly faults: { readonly key: EpisodeKey; readonly fault: 'missing' | 'damaged'; readonly what: 'archive' | 'receipt' }[]
}

const atOnce = 4

/** @param onBytes told how many bytes of all archives are done */
export async function carryEpisodes(
  from: StoreLayout,
  to: StoreLayout,
  indexPath: string,
  options: CarryOptions,
  onBytes: (done: number) => void,
): Promise<CarryCount> {
  const done: CarryCount = { counts: { there: 0, linked: 0, copied: 0, pruned: 0 }, bytes: 0, faults: [] }
  const prunes = new Prunes(from)
  const shelves = new Set<string>()
  let looked = 0
  await makeDir(to.incoming)
  const carry = async (cargo: Cargo) => {
    const shelf = to.shelf(cargo.key)
    if (!shelves.has(shelf)) await makeDir(shelf)
    shelves.add(shelf)
    await carryOne(from, to, cargo, prunes, options, done)
    looked += cargo.bytes ?? 0
    onBytes(looked)
  }
  await inParallel(cargoes(indexPath), atOnce, carry)
  // Names are durable before an index speaks of them.
  for (const folder of new Set([...shelves, ...[...shelves].map(dirname), to.episodes, to.root])) await syncDir(folder)
  return done
}

/** Each episode once. */
async function* cargoes(indexPath: string): AsyncGenerator<Cargo> {
  const seen = new Set<string>()
  for await (const { row, text } of readIndex(indexPath)) {
    const cargo = row && cargoOf(parseObject(text) as IndexRow)
    if (!cargo || seen.has(`${cargo.key.host}/${cargo.key.id}`)) continue
    seen.add(`${cargo.key.host}/${cargo.key.id}`)
    yield cargo
  }
}

/** Bytes of all archives that rows name. */
export async function bytesIn(indexPath: string): Promise<{ rows: number; bytes: number }> {
  let rows = 0
  let bytes = 0
  for await (const { row } of readIndex(indexPath)) {
    rows += 1
    bytes += row?.bytes ?? 0
  }
  return { rows, bytes }
}

async function carryOne(
  from: StoreLayout,
  to: StoreLayout,
  { key, sha256, bytes, receipt }: Cargo,
  prunes: Prunes,
  options: CarryOptions,
  done: CarryCount,
): Promise<void> {
  const fault = await carryReceipt(from.sidecar(key), to.sidecar(key), receipt, to.incoming, options.copy)
  if (fault) done.faults.push({ key, fault, what: 'receipt' })
  if (await prunes.find(key)) {
    done.counts.pruned += 1
    return
  }
  const archive = await carryFile(from.archive(key), to.archive(key), { sha256, bytes }, to.incoming, options)
  if (archive !== 'missing' && archive !== 'damaged') {
    done.counts[archive] += 1
    if (archive !== 'there') done.bytes += bytes ?? 0
  } else if (await prunes.find(key)) done.counts.pruned += 1
  else done.faults.push({ key, fault: archive, what: 'archive' })
}

/** A row tells the bytes of its receipt: what the source has instead is not taken over. */
async function carryReceipt(
  from: string,
  to: string,
  text: string | undefined,
  temps: string,
  copy: boolean,
): Promise<'missing' | 'damaged' | undefined> {
  const bytes = text === undefined ? undefined : Buffer.from(text)
  const expected = { sha256: bytes && createHash('sha256').update(bytes).digest('hex'), bytes: bytes?.length }
  const carried = await carryFile(from, to, expected, temps, { copy, verify: true })
  if (carried !== 'missing' && carried !== 'damaged') return undefined
  if (!bytes) return carried
  const temp = join(temps, `${randomUUID()}.json`)
  await writeNew(temp, bytes)
  await moveOver(temp, to)
  return undefined
}

export async function clearTemps(layout: StoreLayout): Promise<void> {
  for (const name of await readdir(layout.incoming).catch(() => [])) await removeFile(join(layout.incoming, name))
}
