/** `cis490-agent doctor`: what is wrong on this host, and what mends it. */
import { styleText } from 'node:util'
import { type CheckResult, exitCodeOf, type Outcome } from '@cis490/shared/check.ts'
import { addCommand, printJson } from '@cis490/shared/node/cli.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { HostReport } from '@cis490/shared/report.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { examine, type ReportPosition, readPosition } from './examine.ts'

interface DoctorOptions extends CommandOptions {
  readonly nagios?: true
}

export function registerDoctor(program: Command): void {
  addCommand(program, 'doctor', 'examine this host and say what mends it', defaultConfigFile)
    .option('--nagios', 'one line, and exit 0, 1, 2 or 3 as monitoring plugins do')
    .action(action(runDoctor))
}

async function runDoctor(options: DoctorOptions): Promise<number> {
  const config = readConfig(options)
  const report = await examine(config, await readPosition(config).catch(unreadPosition), Date.now)
  if (options.json) printJson(report)
  else if (options.nagios) process.stdout.write(`${nagiosLine(report)}\n`)
  else process.stdout.write(`${report.results.flatMap(describe).join('\n')}\n`)
  return options.nagios ? nagiosExit[report.outcome] : exitCodeOf(report.outcome)
}

/** The checks say what else cannot be read; a report that is only shown needs no number. */
function unreadPosition(error: unknown): ReportPosition {
  if (!isErrno(error, 'EACCES', 'EPERM')) throw error
  return { report_epoch: 'unread', sequence: 0 }
}

const colour: Record<Outcome, 'green' | 'yellow' | 'red' | 'magenta' | 'gray'> = {
  pass: 'green',
  warn: 'yellow',
  fail: 'red',
  unknown: 'magenta',
  skip: 'gray',
}

/** A line a check, and under it what to do; a text may quote the receiver. Colours on a terminal only. */
export function describe({ outcome, title, text, remedy }: CheckResult): string[] {
  const word = styleText(colour[outcome], outcome.padEnd(7), { stream: process.stdout })
  return [`${word} ${title}: ${printable(text)}`, ...(remedy === undefined ? [] : [`        -> ${printable(remedy)}`])]
}

const nagiosExit: Record<Outcome, number> = { pass: 0, skip: 0, warn: 1, fail: 2, unknown: 3 }
const nagiosWord: Record<Outcome, string> = { pass: 'OK', skip: 'OK', warn: 'WARNING', fail: 'CRITICAL', unknown: 'UNKNOWN' }

/** The worst checks in one line. `|` begins performance data, so text must not hold it. */
export function nagiosLine(report: HostReport): string {
  const worst = report.results.filter((result) => result.outcome === report.outcome && result.outcome !== 'pass')
  const text =
    worst.length === 0 ? `${report.results.length} checks` : worst.map((result) => `${result.code}: ${result.text}`).join('; ')
  return `${nagiosWord[report.outcome]} - ${printable(text).replaceAll('|', '/')}`
}
