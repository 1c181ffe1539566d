/** `cis490-receiver backup DIR`: a consistent copy beside a receiver that works; run again it adds what is new. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { counted } from '@cis490/shared/counted.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { makeProgress, type Progress } from '@cis490/shared/node/progress.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { backUp, readBackupMark } from '../store/backup/backup.ts'
import type { CarryCount } from '../store/backup/carry-episodes.ts'
import { lockBackup } from '../store/backup/lock-backup.ts'
import { StoreLayout } from '../store/layout.ts'

export interface CarryCommandOptions extends CommonOptions {
  readonly copy?: true
  readonly verify?: true
}

export function registerBackup(program: Command): void {
  addCommand(program, 'backup <dir>', 'copy the store, also while the receiver works; again: what is new', defaultConfigFile)
    .option('--copy', 'copy bytes also where a second name would do')
    .option('--verify', 'read every archive of the backup and compare its SHA-256')
    .action(run)
}

async function run(dir: string, options: CarryCommandOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const layout = new StoreLayout(resolve(config.state_dir))
  if (!existsSync(layout.root)) throw new UserError(`state_dir: ${config.state_dir} is not there; see ${options.config}`)
  const target = resolve(dir)
  if (`${target}/`.startsWith(`${layout.root}/`)) throw new UserError(`${dir} lies in the store itself`, exit.usage)
  if (existsSync(layout.restoring)) throw new UserError(`${layout.root} is only half restored: run the restore again`)
  if (existsSync(join(target, 'index.jsonl')) && !(await readBackupMark(target)))
    throw new UserError(`${dir} holds an index and is no backup (no backup.json); take an empty folder`, exit.usage)
  await makeDir(target)
  using lock = lockBackup(target)
  if (!lock) throw new UserError(`another backup or restore works in ${dir}`)
  const done = await backUp(layout, target, { ...carryOptions(options), onBytes: byteBar('backup') })
  if (options.json) printJson(done)
  else
    process.stdout.write(
      `${describeFaults(done)}${describeCounts(done)}, ${done.removed} removed as pruned, ${counted(done.rows, 'row')}\n`,
    )
  process.exitCode = done.faults.length === 0 ? exit.clean : exit.findings
}

export function carryOptions({ copy, verify }: CarryCommandOptions): { copy: boolean; verify: boolean } {
  return { copy: copy === true, verify: verify === true }
}

export function byteBar(label: string): (done: number, total: number) => void {
  let bar: Progress | undefined
  return (done, total) => {
    bar ??= makeProgress({ label, total, stream: process.stderr })
    bar.update(done)
    if (done >= total) bar.done()
  }
}

export function describeFaults({ faults }: CarryCount): string {
  return faults
    .map(({ key, fault, what }) => `${fault}: the ${what} of ${key.host}/${key.id}; cis490-receiver fsck tells more\n`)
    .join('')
}

export function describeCounts({ counts, bytes }: CarryCount): string {
  const { linked, copied, there, pruned } = counts
  return `${linked} linked, ${copied} copied (${formatSize(bytes)} new), ${there} were there, ${pruned} pruned`
}
