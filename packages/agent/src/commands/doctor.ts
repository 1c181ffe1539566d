/** `cis490-agent doctor`: what is wrong on this host, and what mends it. */
import { exitCodeOf } from '@cis490/shared/check.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import type { HostReport } from '@cis490/shared/report.ts'
import type { Command } from 'commander'
import { AgentConfig, defaultConfigFile } from '../config.ts'
import type { Check } from '../doctor/check.ts'
import { selectChecks } from '../doctor/select.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import {
  describe,
  describeHidden,
  drawList,
  drawTable,
  hiddenBy,
  listed,
  nagiosExit,
  nagiosLine,
  sumUp,
} from './doctor-output.ts'
import { examine, type ReportPosition, readPosition } from './examine.ts'
import { hostChecks, type Subject } from './host-checks.ts'

interface DoctorOptions extends CommandOptions {
  readonly nagios?: true
  readonly list?: true
  readonly only: readonly string[]
  readonly skip: readonly string[]
}

export function registerDoctor(program: Command): void {
  const codes = (text: string, before: readonly string[]) => [...before, ...text.split(',').filter(Boolean)]
  addCommand(program, 'doctor', 'examine this host and say what mends it', defaultConfigFile)
    .option('--nagios', 'one line, and exit 0, 1, 2 or 3 as monitoring plugins do')
    .option('--list', 'show the checks and run none')
    .option(
      '--only <codes>',
      'run these checks alone; separated by commas, * at the end stands for the rest, quick for those of an update',
      codes,
      [],
    )
    .option('--skip <codes>', 'leave these checks out', codes, [])
    .action(action(runDoctor))
}

async function runDoctor(options: DoctorOptions): Promise<number> {
  const subject = subjectOf(options)
  const checks = selectChecks(await hostChecks(subject), options)
  if (typeof checks === 'string') throw new UserError(checks, exit.usage)
  if (options.list) return showList(checks, options)
  // Of checks without that one, none can be made.
  if (subject.mistake !== undefined && !checks.some(({ code }) => code === 'configuration'))
    throw new ConfigError(subject.mistake)
  const progress = makeProgress({ label: 'checks', total: checks.length, unit: 'count', stream: quietUnlessTerminal(options) })
  const position = await readPosition(subject.config).catch(unreadPosition)
  const report = await examine(subject.config, checks, position, subject.now, (done) => progress.update(done))
  progress.done()
  show(report, options)
  return options.nagios ? nagiosExit[report.outcome] : exitCodeOf(report.outcome)
}

/** A configuration that cannot be used is a finding, and what follows from it. */
function subjectOf(options: DoctorOptions): Subject {
  const rest = { configFile: options.config, now: Date.now }
  try {
    return { config: readConfig(options), ...rest }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { config: AgentConfig.parse({ receiver: { url: 'https://receiver.invalid' } }), mistake: error.message, ...rest }
  }
}

function showList(checks: readonly Check[], { json }: DoctorOptions): number {
  if (json) printJson({ checks: checks.map(listed) })
  else process.stdout.write(`${drawList(checks).join('\n')}\n`)
  return exit.clean
}

function show(report: HostReport, { json, nagios }: DoctorOptions): void {
  if (json) printJson(report)
  else if (nagios) process.stdout.write(`${nagiosLine(report)}\n`)
  else {
    const { isTTY, columns } = process.stdout
    const seen = report.results.filter((result) => hiddenBy(result) === undefined)
    const lines = isTTY ? drawTable(seen, columns) : seen.flatMap(describe)
    process.stdout.write(`${[...lines, ...describeHidden(report.results), sumUp(report.results)].join('\n')}\n`)
  }
}

/** The bar is for a person who waits; a log or a plugin's output is kept clean. */
function quietUnlessTerminal({ json, nagios }: DoctorOptions): { isTTY: boolean; columns: number; write(text: string): unknown } {
  const { stderr } = process
  const shown = stderr.isTTY && !json && !nagios
  return { isTTY: shown, columns: stderr.columns, write: (text) => shown && stderr.write(text) }
}

/** The checks say what else cannot be read; a report that is only shown needs no number. */
function unreadPosition(error: unknown): ReportPosition {
  if (!isErrno(error, 'EACCES', 'EPERM')) throw error
  return { report_epoch: 'unread', sequence: 0 }
}
