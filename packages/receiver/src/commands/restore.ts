/** `cis490-receiver restore DIR`: a store from a backup, into a state_dir that holds none. Ends with fsck. */
import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { counted } from '@cis490/shared/counted.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { endRestore, readBackupMark, readRestoreMark, restore } from '../store/backup/backup.ts'
import { lockBackupToRead } from '../store/backup/lock-backup.ts'
import { Picture } from '../store/fsck/look.ts'
import { IndexLog } from '../store/index-log.ts'
import { StoreLayout } from '../store/layout.ts'
import { recover } from '../store/recover.ts'
import { lockStore } from '../store/store-lock.ts'
import { byteBar, type CarryCommandOptions, carryOptions, describeCounts, describeFaults } from './backup.ts'
import { describeFindings } from './fsck-text.ts'

export function registerRestore(program: Command): void {
  addCommand(program, 'restore <dir>', 'make the store from a backup, where there is none yet', defaultConfigFile)
    .option('--copy', 'copy bytes also where a second name would do')
    .option('--verify', 'read every archive and compare its SHA-256')
    .action(run)
}

async function run(dir: string, options: CarryCommandOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const layout = new StoreLayout(resolve(config.state_dir))
  const source = resolve(dir)
  const mark = await readBackupMark(source)
  if (!mark) throw new UserError(`${dir} is no backup that has ended: it has no backup.json`)
  await makeDir(layout.root)
  using lock = lockStore(layout)
  if (!lock) throw new UserError('stop cis490-receiver first: it works in this store')
  using reading = await lockBackupToRead(source)
  if (!reading) throw new UserError(`another backup or restore works in ${dir}`)
  await refuseFull(layout, source)
  const done = await restore(layout, source, { ...carryOptions(options), onBytes: byteBar('restore') })
  await using index = await IndexLog.open(layout.index)
  const recovered = await recover(layout, index)
  await endRestore(layout)
  const picture = await Picture.take(layout, { hashes: options.verify ? 'always' : 'never', running: () => false })
  const findings = picture.findings()
  if (options.json) printJson({ ...done, backup: mark, recovered, findings })
  else {
    const end = `${counted(done.rows, 'row')} as of ${mark.at}, ${counted(findings.length, 'finding')}\n`
    process.stdout.write(`${describeFaults(done)}${describeFindings(findings)}${describeCounts(done)}\n${end}`)
  }
  process.exitCode = findings.length === 0 ? exit.clean : exit.findings
}

/** Only a restore of the same backup that was killed may go on. */
async function refuseFull(layout: StoreLayout, source: string): Promise<void> {
  const begun = await readRestoreMark(layout)
  if (begun === source) return
  if (begun !== undefined)
    throw new UserError(`${layout.root} is half restored from ${begun}: run that restore again, or empty it`)
  const full = existsSync(layout.index) || (existsSync(layout.episodes) && readdirSync(layout.episodes).length > 0)
  if (full) throw new UserError(`${layout.root} holds a store already; a restore wants an empty state_dir`)
}
