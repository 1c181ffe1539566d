/** `cis490-agent scan`: pack what is finished, send nothing. */
import { addCommand, exit, printJson } from '@cis490/shared/node/cli.ts'
import { makeProgress, type Progress } from '@cis490/shared/node/progress.ts'
import { printable } from '@cis490/shared/printable.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import type { Entry } from '../outbox/entry.ts'
import { ReceiptPins } from '../receipts/pins.ts'
import { action, type CommandOptions, withOutbox } from './context.ts'
import { scan } from './scan-episodes.ts'
import type { ScanResult } from './scan-result.ts'
import { settleBrought } from './settle-carried.ts'

export function registerScan(program: Command): void {
  addCommand(program, 'scan', 'reclaim the outbox, then pack every finished episode', defaultConfigFile).action(action(runScan))
}

async function runScan(options: CommandOptions): Promise<number> {
  return withOutbox(options, async (context) => {
    const { paths, receiver } = context.config
    await settleBrought(context, new ReceiptPins(paths.state, receiver.receipt_keys_file))
    const result = await scan(context, { onProgress: packProgress() })
    const entries = await context.outbox.entries()
    if (options.json) printJson(result)
    else process.stdout.write(`${describeScan(result).join('\n')}\n`)
    return scanExit(result, entries)
  })
}

/** 1 when something is gated or quarantined, 3 when something is left for later, else 0. */
export function scanExit(result: ScanResult, entries: readonly Entry[]): number {
  if (result.refused.length > 0 || entries.some((entry) => entry.lane !== 'ready')) return exit.findings
  return result.later.length > 0 ? exit.undetermined : exit.clean
}

/** One bar an episode, on a terminal only: a journal gets one line when it is packed. */
export function packProgress(
  stream: NodeJS.WriteStream = process.stderr,
): ((id: string, done: number, total: number) => void) | undefined {
  if (!stream.isTTY) return undefined
  let bar: { id: string; progress: Progress } | undefined
  return (id, done, total) => {
    if (bar?.id !== id) bar = { id, progress: makeProgress({ label: `packing ${id}`, total, stream }) }
    bar.progress.update(done)
    if (done >= total) bar.progress.done()
  }
}

/** What a scan did and found, a line each. */
export function describeScan(result: ScanResult): string[] {
  const lines = [
    ...result.packed.map(
      (entry) => `packed       ${entry.id}  ${formatSize(entry.bytes)}${entry.lane === 'gated' ? '  gated' : ''}`,
    ),
    ...result.refused.map((one) => `refused      ${one.id}  ${one.path}: ${one.reason}`),
    ...result.unfinished.map(
      (one) =>
        `${one.state.padEnd(12)} ${one.id}  ${'file' in one ? `meta.json is older than ${one.file}: touch meta.json` : one.reason}`,
    ),
    ...result.later.map((one) => `later        ${one.id}  ${one.reason}${one.detail === undefined ? '' : `: ${one.detail}`}`),
    ...result.unreadable.map((one) => `no episode   ${one.name}  ${one.reason}`),
    ...result.deleted.map((id) => `deleted      ${id}  delivered`),
    ...result.freed.map((one) => `freed        ${one.id}  second copy, ${formatSize(one.bytes)}`),
    ...result.left.map((one) => `delivered    ${one.id}  ${one.reason}${one.detail === undefined ? '' : `: ${one.detail}`}`),
    ...result.dropped.map((id) => `dropped      ${id}  its folder stays until you delete it`),
  ]
  return lines.length === 0 ? ['nothing to pack'] : lines.map(printable)
}
