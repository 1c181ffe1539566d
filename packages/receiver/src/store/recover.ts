/** At start: what a crash left half done is finished or taken away, so that every stored episode has exactly one row. */
import { readdir, readFile, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, removeFile, syncDir } from '@cis490/shared/node/durable.ts'
import type { Receipt } from '@cis490/shared/receipt.ts'
import { receiptFor } from '../core/episode-state.ts'
import { confirmRowless, type Reading } from './confirm-rowless.ts'
import type { IndexLog } from './index-log.ts'
import { indexedNames } from './indexed-names.ts'
import type { EpisodeKey, StoreLayout } from './layout.ts'
import { Prunes } from './prunes.ts'
import { inTime } from './repair/surviving-rows.ts'
import { settleJournals } from './settle-journals.ts'
import { type Shelf, walkShelves } from './walk.ts'

export interface Recovered {
  /** Bodies that never became episodes. */
  incoming_removed: number
  /** Sidecars whose archive never got its name: nobody was promised anything. */
  sidecars_removed: number
  /** Episodes that were published without their row. */
  rows_added: number
  /** Archives without a sidecar: only `backfill` can tell what they are. */
  without_sidecar: number
  /** Archives whose end was written down already. */
  prunes_finished: number
  /** Archives without a row that are not what their receipt says: in quarantine/ now, and in losses.jsonl. */
  damaged: number
  /** Bytes of half rows at the end of journals that commands write. */
  torn_bytes: number
  /** Rows whose archive is gone: `fsck` tells which. */
  rows_without_archive: number
}

/** @param onReading told before archives without a row are read */
export async function recover(layout: StoreLayout, index: IndexLog, onReading?: (reading: Reading) => void): Promise<Recovered> {
  const done: Recovered = {
    incoming_removed: 0,
    sidecars_removed: 0,
    rows_added: 0,
    without_sidecar: 0,
    prunes_finished: 0,
    damaged: 0,
    torn_bytes: 0,
    rows_without_archive: 0,
  }
  await makeDir(layout.incoming)
  await makeDir(layout.episodes)
  const indexed = await indexedNames(layout.index)
  done.torn_bytes = await settleJournals(layout)
  const prunes = new Prunes(layout)
  await prunes.refresh()
  const missing: Receipt[] = []
  for (const shelf of walkShelves(layout)) {
    await finishPrunes(shelf, prunes, done)
    await removeUnfinished(shelf, (key) => indexed.has(nameOf(key)) || prunes.has(key), done)
    for (const id of shelf.archives) {
      const key = { host: shelf.host, id }
      if (prunes.has(key)) continue
      // What is left of the names afterwards has no archive.
      if (!indexed.delete(nameOf(key))) await noteMissing(shelf, key, missing, done)
    }
    for (const id of shelf.sidecars) {
      const key = { host: shelf.host, id }
      if (prunes.has(key) && !indexed.delete(nameOf(key))) await noteMissing(shelf, key, missing, done)
    }
  }
  done.rows_without_archive = indexed.size
  const { whole, damaged } = await confirmRowless(layout, missing, (key) => prunes.has(key), onReading)
  done.damaged = damaged
  // A row is a promise: the names that it speaks of have to be durable first.
  const shelves = new Set(whole.map((receipt) => layout.shelf(receipt)))
  for (const path of shelves) for (const dir of [path, dirname(path), layout.episodes]) await syncDir(dir)
  for (const receipt of inTime(whole)) await index.append(receipt)
  done.rows_added = whole.length
  // Last: as long as these names are there, they tell an unfinished upload from a loss.
  for (const name of await readdir(layout.incoming)) {
    await unlink(join(layout.incoming, name))
    done.incoming_removed += 1
  }
  return done
}

function nameOf({ host, id }: EpisodeKey): string {
  return `${host}/${id}`
}

async function finishPrunes(shelf: Shelf, prunes: Prunes, done: Recovered): Promise<void> {
  for (const id of shelf.archives) {
    if (!prunes.has({ host: shelf.host, id })) continue
    await removeFile(join(shelf.path, `${id}.tar.zst`))
    await syncDir(shelf.path)
    done.prunes_finished += 1
  }
}

/** Where a row promised the episode its archive was lost, not unfinished: the receipt stays, and fsck tells. */
async function removeUnfinished(shelf: Shelf, promised: (key: EpisodeKey) => boolean, done: Recovered): Promise<void> {
  for (const id of shelf.sidecars) {
    if (shelf.archives.has(id) || promised({ host: shelf.host, id })) continue
    await removeFile(join(shelf.path, `${id}.json`))
    await syncDir(shelf.path)
    done.sidecars_removed += 1
  }
}

async function noteMissing(shelf: Shelf, key: EpisodeKey, missing: Receipt[], done: Recovered): Promise<void> {
  const sidecar = await readFile(join(shelf.path, `${key.id}.json`), 'utf8').catch(() => '')
  // A receipt of another episode would get a row at every start.
  const receipt = receiptFor(parseObject(sidecar), key)
  if (receipt) missing.push(receipt)
  else done.without_sidecar += 1
}
