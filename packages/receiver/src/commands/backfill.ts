/** `cis490-receiver backfill`: rows for episodes that lie in the store without one; `--adopt DIR` takes over an older store. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { counted } from '@cis490/shared/counted.ts'
import { HostName } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeDir, removeFile, syncDir, syncFile, writeNew } from '@cis490/shared/node/durable.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { encodeReceipt, type Receipt } from '@cis490/shared/receipt.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { Episodes } from '../store/episodes.ts'
import { IndexLog } from '../store/index-log.ts'
import { StoreLayout } from '../store/layout.ts'
import { type OlderEpisode, readOlderStore } from '../store/older-store.ts'
import { recover } from '../store/recover.ts'
import { walkShelves } from '../store/walk.ts'
import { receiptFromFile, receiptInPlace } from './give-receipt.ts'

interface BackfillOptions extends CommonOptions {
  readonly adopt?: string
  readonly host?: string
}

interface Backfilled {
  rows_added: number
  adopted: number
  already_there: number
  refused: { id: string; reason: string; detail: string }[]
}

export function registerBackfill(program: Command): void {
  addCommand(program, 'backfill', 'write rows for stored episodes that have none', defaultConfigFile)
    .option('--adopt <dir>', 'take over the flat store and index of an older receiver; its files stay')
    .option('--host <name>', 'host of adopted episodes that neither a row nor meta.json names')
    .action(run)
}

async function run(options: BackfillOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const host = options.host === undefined ? undefined : HostName.safeParse(options.host)
  if (host && !host.success) throw new UserError(`--host ${options.host}: ${host.error.issues[0]?.message}`, exit.usage)
  const layout = new StoreLayout(config.state_dir)
  await makeDir(config.state_dir)
  using lock = takeLock(layout.lock)
  if (!lock) throw new UserError('stop cis490-receiver first: it works in this store')
  await using index = await IndexLog.open(layout.index)
  const done: Backfilled = { rows_added: 0, adopted: 0, already_there: 0, refused: [] }
  await giveSidecars(layout, done)
  done.rows_added = (await recover(layout, index)).rows_added
  if (options.adopt !== undefined) await adopt(options.adopt, host?.data, layout, index, done)
  if (options.json) printJson(done)
  else process.stdout.write(describe(done))
  process.exitCode = done.refused.length === 0 ? exit.clean : exit.findings
}

/** An archive without a sidecar gets one; recovery then writes its row. */
async function giveSidecars(layout: StoreLayout, done: Backfilled): Promise<void> {
  for (const shelf of walkShelves(layout)) {
    for (const id of shelf.archives) {
      if (shelf.sidecars.includes(id)) continue
      const path = join(shelf.path, `${id}.tar.zst`)
      const verdict = await receiptInPlace(id, path, shelf.host)
      if (verdict.kind === 'receipt') {
        await writeNew(join(shelf.path, `${id}.json`), encodeReceipt(verdict.receipt))
        await syncDir(shelf.path)
      } else done.refused.push({ id, reason: verdict.kind, detail: verdict.detail })
    }
  }
}

async function adopt(
  dir: string,
  host: HostName | undefined,
  layout: StoreLayout,
  index: IndexLog,
  done: Backfilled,
): Promise<void> {
  const older = await readOlderStore(dir)
  if (older.length === 0) throw new UserError(`--adopt ${dir}: no archive lies there or in its folder episodes`)
  const progress = makeProgress({ label: 'adopting', total: older.length, unit: 'count', stream: process.stderr })
  for (const [k, episode] of older.entries()) {
    const verdict = await receiptFromFile(episode, host)
    if (verdict.kind === 'receipt') await adoptOne(episode, verdict.receipt, layout, index, done)
    else done.refused.push({ id: episode.id, reason: verdict.kind, detail: verdict.detail })
    progress.update(k + 1)
  }
  progress.done()
}

/** Copied, not moved: the older store stays as it is until a person removes it. */
async function adoptOne(
  episode: OlderEpisode,
  receipt: Receipt,
  layout: StoreLayout,
  index: IndexLog,
  done: Backfilled,
): Promise<void> {
  const episodes = new Episodes(layout)
  const stored = await episodes.find(receipt)
  if (stored) {
    if (stored.receipt.sha256 === receipt.sha256) done.already_there += 1
    else done.refused.push({ id: receipt.id, reason: 'content-conflict', detail: `other bytes are stored for ${receipt.host}` })
    return
  }
  const lost = await episodes.findLost(receipt)
  if (lost && lost.receipt.sha256 !== receipt.sha256) {
    done.refused.push({ id: receipt.id, reason: 'content-conflict', detail: `other bytes were stored for ${receipt.host}` })
    return
  }
  const temp = join(layout.incoming, randomUUID())
  const from = { archive: `${temp}.part`, sidecar: `${temp}.json` }
  try {
    await copyFile(episode.path, from.archive, constants.COPYFILE_EXCL)
    await syncFile(from.archive)
    await writeNew(from.sidecar, encodeReceipt(receipt))
    // An archive that was lost has its row still.
    if (lost) await episodes.bringBack(receipt, from.archive)
    else if (await episodes.publish(receipt, from)) await index.append(receipt)
    done.adopted += 1
  } finally {
    await removeFile(from.archive)
    await removeFile(from.sidecar)
  }
}

function describe(done: Backfilled): string {
  const refused = done.refused.map((one) => `${one.reason}: ${one.id}: ${one.detail}\n`).join('')
  return `${refused}${counted(done.rows_added, 'row')} added, ${done.adopted} adopted, ${done.already_there} already there, ${done.refused.length} left alone\n`
}
