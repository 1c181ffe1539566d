/** An archive that only lies in the wrong place is not lost: it goes back where its receipt expects it. */
import { lstat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { makeDir, moveOver, syncDir } from '@cis490/shared/node/durable.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import type { Picture } from '../fsck/look.ts'
import { hashFile } from '../hash-file.ts'
import type { EpisodeKey, StoreLayout } from '../layout.ts'
import { isThere } from '../quarantine.ts'

export interface Misplaced {
  readonly key: EpisodeKey
  readonly path: string
}

/** Strangers with the name and the bytes of an archive that is missing. */
export async function findMisplaced(picture: Picture): Promise<Misplaced[]> {
  const found = new Map<string, Misplaced>()
  for (const path of picture.strangers) {
    const name = basename(path)
    const id = name.endsWith(archiveSuffix) ? EpisodeId.safeParse(name.slice(0, -archiveSuffix.length)).data : undefined
    if (id === undefined || !(await lstat(path)).isFile()) continue
    for (const { key, verdict } of picture.ill.values()) {
      if (key.id !== id || verdict.mend.do !== 'lose' || verdict.mend.reason === 'wrong-size') continue
      if (verdict.mend.reason === 'wrong-hash' || !verdict.mend.receipt) continue
      if ((await hashFile(path)) === verdict.mend.receipt.sha256) found.set(`${key.host}/${key.id}`, { key, path })
    }
  }
  return [...found.values()]
}

export async function putBack(layout: StoreLayout, { key, path }: Misplaced): Promise<void> {
  const place = layout.archive(key)
  if (await isThere(place)) return
  await makeDir(layout.shelf(key))
  await moveOver(path, place)
  await syncDir(dirname(path))
}
