/** `cis490-agent pause` and `resume`: a person holds shipping and packing back. The running daemon sees it within a second or two. */
import { userInfo } from 'node:os'
import { parseDuration } from '@cis490/shared/duration.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { parseUntil } from '../core/until.ts'
import { readPause, removePause, writePause } from '../ship/pause-file.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { readyFolders } from './folders.ts'
import { describeManner } from './make-manners.ts'

interface PauseOptions extends CommandOptions {
  readonly until?: string
  readonly for?: string
  readonly reason?: string
}

export function registerPause(program: Command): void {
  addCommand(program, 'pause', 'hold shipping and packing back until a time, or until resume', defaultConfigFile)
    .option('--until <time>', 'a time of today or tomorrow like 18:00, or a date and time like "2026-11-21 18:00"')
    .option('--for <duration>', 'like 90m or 4h')
    .option('--reason <text>', 'why; shown by status and doctor')
    .action(action(runPause))
  addCommand(program, 'resume', 'end a pause', defaultConfigFile).action(action(runResume))
}

async function runPause(options: PauseOptions): Promise<number> {
  const config = readConfig(options)
  const now = Date.now()
  const until = untilOf(options, now)
  const by = process.env['SUDO_USER'] || userInfo().username
  const reason = options.reason?.trim()
  await readyFolders(config, 'state')
  await writePause(config.paths.state, {
    since: timestamp(now),
    by,
    ...(until === undefined ? {} : { until: timestamp(until) }),
    ...(reason ? { reason } : {}),
  })
  const pause = readPause(config.paths.state) ?? {}
  const manner = describeManner({ go: 'wait', reason: 'paused', pause }, config, now)
  if (options.json) printJson(manner)
  else process.stdout.write(`${printable(manner.text)}\n`)
  return exit.clean
}

function untilOf(options: PauseOptions, now: number): number | undefined {
  if (options.until !== undefined && options.for !== undefined)
    throw new UserError('--until and --for: give one of them', exit.usage)
  if (options.for !== undefined) {
    const ms = parseDuration(options.for)
    if (!ms) throw new UserError(`--for: "${printable(options.for)}" is no duration; write it like 90m or 4h`, exit.usage)
    return now + ms
  }
  if (options.until === undefined) return undefined
  const until = parseUntil(options.until, now)
  if (typeof until === 'string') throw new UserError(`--until: ${printable(until)}`, exit.usage)
  return until
}

async function runResume(options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  const resumed = await removePause(config.paths.state)
  if (options.json) printJson({ resumed })
  else process.stdout.write(resumed ? 'resumed\n' : 'it was not paused\n')
  return exit.clean
}
