/** `cis490-fleet evaluate`: judge the fleet once, for the timer and for people. */
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'
import { makeProgress, type Progress } from '@cis490/shared/node/progress.ts'
import type { Command } from 'commander'
import { defaultConfigFile, FleetConfig } from '../config.ts'
import { parseTime } from '../core/time.ts'
import { evaluate } from '../jobs/evaluate.ts'
import { evaluationText } from './evaluation-text.ts'

export interface EvaluateCommand {
  readonly config: string
  readonly json?: true
  readonly at?: string
}

export function registerEvaluate(program: Command): void {
  addCommand(program, 'evaluate', 'judge every host once and write the alerts that are due', defaultConfigFile)
    .option('--at <time>', 'judge for this moment (RFC 3339) instead of now')
    .action(async (options: EvaluateCommand) => {
      process.exitCode = await evaluateCommand(options)
    })
}

/** Exit 0 when it could evaluate, alerts or not. */
export async function evaluateCommand({ config, json, at: given }: EvaluateCommand): Promise<number> {
  const at = parseTime(given)
  if (given !== undefined && at === undefined)
    throw new UserError(`--at ${JSON.stringify(given)} is no time; write it as RFC 3339, like 2026-11-21T09:58:00Z`, exit.usage)
  const { state_dir: stateDir, monitor } = loadConfig(config, FleetConfig)
  using lock = await lockFleet(stateDir)
  if (!lock) {
    if (json) printJson({ skipped: 'serve evaluates' })
    else process.stdout.write('serve evaluates\n')
    return exit.clean
  }
  const { decisions: _, ...evaluation } = await evaluate({
    stateDir,
    monitor,
    at,
    now: Date.now,
    openLog: async () => (await import('@cis490/shared/node/log.ts')).makeLogger(process.stderr),
    onProgress: indexBar(),
  })
  if (json) printJson(evaluation)
  else process.stdout.write(evaluationText(evaluation))
  return exit.clean
}

/** Only a long read is told of; the bar is gone before alerts are written. */
function indexBar(): (done: number, total: number) => void {
  let bar: Progress | undefined
  return (done, total) => {
    if (done < total) bar ??= makeProgress({ label: 'reading the index', total, stream: process.stderr })
    bar?.update(done)
    if (done === total) bar?.done()
  }
}

async function lockFleet(stateDir: string): Promise<ProcessLock | undefined> {
  try {
    await access(stateDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return takeLock(join(stateDir, 'fleet.lock'))
  } catch (error) {
    const what = messageOf(error).split(',')[0]
    throw new UserError(
      `cannot use state_dir ${stateDir}: ${what}; it is the receiver's state_dir, and the fleet program writes there too`,
    )
  }
}
