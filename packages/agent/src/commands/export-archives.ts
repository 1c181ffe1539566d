/** The work of an export: what is to be copied, the list of it, and the copying. */
import { join } from 'node:path'
import type { ExportManifest } from '@cis490/shared/export-manifest.ts'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import type { AgentConfig } from '../config.ts'
import { type ExportPlan, planExport } from '../core/export-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import { archiveName } from '../outbox/layout.ts'
import { readEntries } from '../outbox/read.ts'
import { KnownReceipt, readRecords } from '../outbox/records.ts'
import { ArchiveDamaged, ArchiveGone, type HostFolder } from '../stick/stick.ts'

export interface Exported {
  readonly host: HostName
  readonly dir: string
  /** Only when it was not there: then it may be no stick. */
  readonly made_folder?: true
  /** Copied now. */
  readonly copied: string[]
  readonly already_there: string[]
  readonly left_out: { id: string; reason: 'damaged' | 'delivered-meanwhile' }[]
  /** Copies that the receiver has given receipts for since the last export. */
  readonly removed: string[]
  bytes: number
}

/** Entries that wait, held against what an earlier export left on the stick. */
export async function makePlan(config: AgentConfig, folder: HostFolder): Promise<ExportPlan<Entry>> {
  const receipts = await readRecords(join(config.paths.state, 'receipts.jsonl'), KnownReceipt)
  const earlier = await folder.manifest()
  const waiting = (await readEntries(config.paths.outbox)).filter(({ id, sha256 }) => receipts.get(id)?.sha256 !== sha256)
  const named = earlier && 'manifest' in earlier ? earlier.manifest.entries : []
  return planExport(waiting, await folder.sizes(), named, ({ id, sha256 }) => receipts.get(id as Entry['id'])?.sha256 === sha256)
}

/** What is to be signed. */
export function manifestOf(host: HostName, entries: ExportPlan<Entry>['entries']): ExportManifest {
  return {
    format: 'cis490-export-1',
    host,
    created_at: timestamp(Date.now()),
    entries: entries.map(({ id, sha256, bytes, commit, schema_version, file }) => ({
      ...{ id, sha256, bytes },
      ...(commit !== undefined && { commit }),
      ...(schema_version !== undefined && { schema_version }),
      file,
    })),
  }
}

/** @returns what ended it early, if anything did */
export async function copyAll(
  config: AgentConfig,
  plan: ExportPlan<Entry>,
  folder: HostFolder,
  done: Exported,
  signal: AbortSignal,
): Promise<unknown> {
  const total = plan.entries.reduce((sum, entry) => sum + (entry.there ? 0 : entry.bytes), 0)
  const progress = makeProgress({ label: 'exporting', total, stream: process.stderr })
  let moved = 0
  try {
    for (const entry of plan.entries) {
      if (entry.there) {
        done.already_there.push(entry.id)
        continue
      }
      const onBytes = (bytes: number) => {
        moved += bytes
        progress.update(moved)
      }
      const left = await folder
        .copy(join(config.paths.outbox, archiveName(entry.id)), entry.file, entry, onBytes, signal)
        .then(() => undefined, whyLeftOut)
      if (left) {
        done.left_out.push({ id: entry.id, reason: left })
        continue
      }
      done.copied.push(entry.id)
      done.bytes += entry.bytes
    }
    return undefined
  } catch (error) {
    return error
  } finally {
    progress.done()
  }
}

/** What is wrong with one archive is not wrong with the stick. */
function whyLeftOut(error: unknown): Exported['left_out'][number]['reason'] {
  if (error instanceof ArchiveDamaged) return 'damaged'
  if (error instanceof ArchiveGone) return 'delivered-meanwhile'
  throw error
}
