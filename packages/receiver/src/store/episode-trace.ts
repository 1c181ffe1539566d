/** Collects what lies on the disk about one id. Reads what the others write: lines that cannot be understood are passed over. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { IndexRow, Receipt } from '@cis490/shared/receipt.ts'
import { RejectRow } from '@cis490/shared/rejection.ts'
import { z } from 'zod'
import type { Act, EpisodeTrace, OpenUpload } from '../core/explain-events.ts'
import { speaksOf } from '../core/taints.ts'
import type { StoreLayout } from './layout.ts'
import { scanLines } from './line-scan.ts'
import { readTaints } from './taints.ts'

const ActRow = z.looseObject({
  at: z.string(),
  id: z.string(),
  host: z.string(),
  reason: z.string(),
  by: z.string().optional(),
  kept: z.array(z.string()).optional(),
})
const UploadRow = z.looseObject({
  ...{ id: z.string(), host: z.string(), offset: z.number(), length: z.number(), created_at: z.string() },
  expires_at: z.string().optional(),
  finished: z.unknown().optional(),
})

/** Everything about an id, of all hosts: who may see what is decided by `traceOf`. */
export interface IdTraces {
  /** Sorted. */
  readonly hosts: readonly HostName[]
  /** The time of the first refusal that is still there, when older ones may have been thrown away. */
  readonly rejectsSince: string | undefined
  /** @param unnamed also refusals of which nobody knows the host */
  traceOf(host: HostName | undefined, unnamed: boolean): Promise<EpisodeTrace>
}

export async function collect(layout: StoreLayout, id: EpisodeId): Promise<IdTraces> {
  const older = `${layout.rejects}.1`
  const rejects = [...(await rowsOf(older, id, RejectRow)), ...(await rowsOf(layout.rejects, id, RejectRow))]
  const rows = await rowsOf(layout.index, id, IndexRow)
  const prunes = await rowsOf(layout.prunes, id, ActRow)
  const losses = await rowsOf(layout.losses, id, ActRow)
  const uploads = await openUploads(layout, id)
  const shelved = await hostsWithFiles(layout, id)
  const named = [...rejects, ...rows, ...prunes, ...losses, ...uploads].map(({ host }) => HostName.safeParse(host).data)
  const hosts = [...new Set([...named, ...shelved].filter((host) => host !== undefined))].sort()
  return {
    hosts,
    rejectsSince: await firstTime(older),
    traceOf: async (host, unnamed) => {
      const of = (row: { host?: string | undefined }) => row.host === host
      const row = rows.findLast(of)
      const kept = host === undefined ? undefined : await files(layout, { host, id })
      const commit = row?.commit ?? kept?.receipt?.commit
      const { rows: taints } = await readTaints(layout)
      return {
        rejects: rejects.filter((one) => of(one) || (unnamed && one.host === undefined)),
        uploads: uploads.filter(of).map((one): OpenUpload => ({ ...one, finished: one.finished !== undefined })),
        receipt: kept?.receipt,
        row,
        archive: kept?.archive ?? false,
        taints: taints.filter((taint) => speaksOf(taint)({ id, host, commit })),
        prunes: prunes.filter(of) satisfies Act[],
        losses: losses.filter(of),
      }
    },
  }
}

async function rowsOf<T extends z.ZodType<{ id?: string | undefined }>>(
  path: string,
  id: EpisodeId,
  schema: T,
): Promise<z.output<T>[]> {
  const found: z.output<T>[] = []
  for await (const { lines } of scanLines(path, { needle: JSON.stringify(id) }))
    for (const { bytes } of lines) {
      const row = schema.safeParse(parseObject(bytes.toString('utf8')))
      if (row.success && row.data.id === id) found.push(row.data)
    }
  return found
}

async function openUploads(layout: StoreLayout, id: EpisodeId): Promise<z.output<typeof UploadRow>[]> {
  const found: z.output<typeof UploadRow>[] = []
  for (const name of await names(layout.uploads)) {
    if (!name.endsWith('.json')) continue
    // It may end while we look.
    const text = await readFile(join(layout.uploads, name), 'utf8').catch(() => '')
    const row = UploadRow.safeParse(parseObject(text)).data
    if (row?.id === id) found.push(row)
  }
  return found
}

async function hostsWithFiles(layout: StoreLayout, id: EpisodeId): Promise<HostName[]> {
  const found: HostName[] = []
  for (const name of await names(layout.episodes)) {
    const host = HostName.safeParse(name).data
    if (
      host !== undefined &&
      (await names(layout.shelf({ host, id }))).some((file) => file === `${id}.tar.zst` || file === `${id}.json`)
    )
      found.push(host)
  }
  return found
}

async function files(
  layout: StoreLayout,
  key: { host: HostName; id: EpisodeId },
): Promise<{ receipt: Receipt | undefined; archive: boolean }> {
  const text = await readFile(layout.sidecar(key), 'utf8').catch(() => '')
  const archive = await stat(layout.archive(key)).then(
    () => true,
    () => false,
  )
  return { receipt: Receipt.safeParse(parseObject(text)).data, archive }
}

/** The `at` of a file's first line. */
async function firstTime(path: string): Promise<string | undefined> {
  for await (const { lines } of scanLines(path, { chunkBytes: 4096 }))
    return String(parseObject(lines[0]?.bytes.toString('utf8') ?? '')?.['at'] ?? 'an unknown time')
  return undefined
}

async function names(path: string): Promise<string[]> {
  return await readdir(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  })
}
