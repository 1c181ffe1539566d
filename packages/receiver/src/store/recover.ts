/** At start: what a crash left half done is finished or taken away, so that every stored episode has exactly one row. */
import { readdir, readFile, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, removeFile, syncDir } from '@cis490/shared/node/durable.ts'
import { Receipt } from '@cis490/shared/receipt.ts'
import type { IndexLog } from './index-log.ts'
import { readIndex } from './index-reader.ts'
import type { StoreLayout } from './layout.ts'
import { walkShelves } from './walk.ts'

export interface Recovered {
  /** Bodies that never became episodes. */
  incoming_removed: number
  /** Sidecars whose archive never got its name: nobody was promised anything. */
  sidecars_removed: number
  /** Episodes that were published without their row. */
  rows_added: number
  /** Archives without a sidecar: only `backfill` can tell what they are. */
  without_sidecar: number
}

export async function recover(layout: StoreLayout, index: IndexLog): Promise<Recovered> {
  const done: Recovered = { incoming_removed: 0, sidecars_removed: 0, rows_added: 0, without_sidecar: 0 }
  await makeDir(layout.incoming)
  await makeDir(layout.episodes)
  for (const name of await readdir(layout.incoming)) {
    await unlink(join(layout.incoming, name))
    done.incoming_removed += 1
  }
  const indexed = new Set<string>()
  for await (const { row } of readIndex(layout.index)) if (row) indexed.add(`${row.host}/${row.id}`)
  const missing: Receipt[] = []
  for await (const shelf of walkShelves(layout)) {
    const before = missing.length
    // Where a row promised the episode its archive was lost, not unfinished: the receipt stays, and fsck tells.
    const unfinished = (id: string) => !shelf.archives.has(id as EpisodeId) && !indexed.has(`${shelf.host}/${id}`)
    for (const id of shelf.sidecars.filter(unfinished)) {
      await removeFile(join(shelf.path, `${id}.json`))
      await syncDir(shelf.path)
      done.sidecars_removed += 1
    }
    for (const id of shelf.archives) {
      if (indexed.has(`${shelf.host}/${id}`)) continue
      const sidecar = await readFile(join(shelf.path, `${id}.json`), 'utf8').catch(() => '')
      const receipt = Receipt.safeParse(parseObject(sidecar))
      // A receipt of another episode would get a row at every start.
      if (receipt.success && receipt.data.host === shelf.host && receipt.data.id === id) missing.push(receipt.data)
      else done.without_sidecar += 1
    }
    // A row is a promise: the names that it speaks of have to be durable first.
    if (missing.length > before) for (const dir of [shelf.path, dirname(shelf.path), layout.episodes]) await syncDir(dir)
  }
  missing.sort((a, b) => a.received_at.localeCompare(b.received_at))
  for (const receipt of missing) await index.append(receipt)
  done.rows_added = missing.length
  return done
}
