/** The flat store of an older receiver: `<dir>/index.jsonl`, and `<id>.tar.zst` in `<dir>` or `<dir>/episodes`. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import { readIndex } from './index-reader.ts'

/** What the older index says of an episode; each may be missing. */
export interface OlderRow {
  readonly host?: HostName | undefined
  readonly sha256?: Sha256 | undefined
  readonly received_at?: string | undefined
  readonly schema_version?: string | undefined
}

export interface OlderEpisode {
  readonly id: EpisodeId
  readonly path: string
  readonly row: OlderRow | undefined
}

/** Archives found, in the order of their names. */
export async function readOlderStore(dir: string): Promise<OlderEpisode[]> {
  const rows = new Map<string, OlderRow>()
  for await (const { text } of readIndex(join(dir, 'index.jsonl'))) {
    const row = parseObject(text)
    const id = row?.['id'] ?? row?.['episode_id']
    if (row && typeof id === 'string') rows.set(id, readRow(row))
  }
  const found: OlderEpisode[] = []
  for (const folder of [dir, join(dir, 'episodes')]) {
    for (const name of await names(folder)) {
      const id = EpisodeId.safeParse(name.slice(0, -archiveSuffix.length)).data
      if (id !== undefined) found.push({ id, path: join(folder, name), row: rows.get(id) })
    }
  }
  return found
}

function readRow(row: Record<string, unknown>): OlderRow {
  const time = row['received_at']
  const version = row['schema_version']
  return {
    host: HostName.safeParse(row['host'] ?? row['host_id']).data,
    sha256: Sha256.safeParse(row['sha256']).data,
    received_at: typeof time === 'string' && !Number.isNaN(Date.parse(time)) ? new Date(time).toISOString() : undefined,
    schema_version: version === undefined || version === null ? undefined : String(version),
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(archiveSuffix)).sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}
