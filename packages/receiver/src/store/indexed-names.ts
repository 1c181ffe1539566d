/** The names of all episodes that have a row. */

import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { IndexRow } from '@cis490/shared/receipt.ts'
import { canonicalName } from '../core/canonical-name.ts'
import { readLines } from './index-reader.ts'

/** As `host/id`. Damaged rows, and those of an older receiver that name no file of this store, are left out. */
export async function indexedNames(path: string): Promise<Set<string>> {
  const names = new Set<string>()
  for await (const { lines } of readLines(path))
    for (const line of lines) {
      const name = canonicalName(line.toString('latin1')) ?? carefully(line)
      if (name !== undefined) names.add(name)
    }
  return names
}

function carefully(line: Buffer): string | undefined {
  const row = IndexRow.safeParse(parseObject(line.toString('utf8'))).data
  const host = HostName.safeParse(row?.host).data
  const id = EpisodeId.safeParse(row?.id).data
  return host !== undefined && id !== undefined && host === row?.host ? `${host}/${id}` : undefined
}
