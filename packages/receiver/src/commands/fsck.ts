/** `cis490-receiver fsck`: does the index say what the store holds? Exit 0 clean, 1 findings, 3 could not look. */
import { existsSync } from 'node:fs'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { type FsckResult, findingTitles, fsck } from '../store/fsck.ts'
import { IndexLog } from '../store/index-log.ts'
import { StoreLayout } from '../store/layout.ts'
import { type Recovered, recover } from '../store/recover.ts'
import { countArchives } from '../store/walk.ts'

interface FsckCommandOptions extends CommonOptions {
  readonly repair?: true
  readonly verifyHashes?: true
}

export function registerFsck(program: Command): void {
  addCommand(program, 'fsck', 'hold the index against the store', defaultConfigFile)
    .option('--verify-hashes', 'read every archive and compare its SHA-256')
    .option('--repair', 'mend what a crash leaves: torn last row, missing rows, receipts without archive')
    .action(run)
}

async function run(options: FsckCommandOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const layout = new StoreLayout(config.state_dir)
  // A store that is not there is not a clean one.
  if (!existsSync(config.state_dir)) throw new UserError(`state_dir: ${config.state_dir} is not there; see ${options.config}`)
  const repaired = options.repair ? await repair(layout) : undefined
  const total = await countArchives(layout)
  const progress = makeProgress({ label: 'fsck', total, unit: 'count', stream: process.stderr })
  const result = await fsck(layout, { verifyHashes: options.verifyHashes === true, onArchive: (done) => progress.update(done) })
  progress.done()
  if (options.json) printJson({ ...result, ...(repaired && { repaired }) })
  else process.stdout.write(describe(result, repaired))
  process.exitCode = result.findings.length === 0 ? exit.clean : exit.findings
}

async function repair(layout: StoreLayout): Promise<Recovered> {
  using lock = takeLock(layout.lock)
  if (!lock) throw new UserError('stop cis490-receiver first: it works in this store')
  await using index = await IndexLog.open(layout.index)
  return await recover(layout, index)
}

function describe(result: FsckResult, repaired: Recovered | undefined): string {
  const lines = result.findings.map(
    (finding) => `${finding.kind}: ${findingTitles[finding.kind]}\n  ${printable(finding.at)}: ${printable(finding.detail)}\n`,
  )
  const mended = repaired
    ? `mended: ${Object.entries(repaired)
        .map(([what, count]) => `${what} ${count}`)
        .join(', ')}\n`
    : ''
  return `${lines.join('')}${mended}${result.rows} rows, ${result.archives} archives, ${result.findings.length} findings\n`
}
