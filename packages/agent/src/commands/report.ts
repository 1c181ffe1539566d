/** `cis490-agent report`: the doctor's report to the receiver. Never gated: a host with old code must be able to say how it is. */
import { addCommand, exit, printJson } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'
import { makeClient } from '../app.ts'
import { defaultConfigFile } from '../config.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { becomeOwner } from './folders.ts'
import { deliverReport, makeReport } from './make-report.ts'
import { describeChanges } from './report-output.ts'

interface ReportOptions extends CommandOptions {
  readonly diff?: true
}

export function registerReport(program: Command): void {
  addCommand(program, 'report', 'examine this host and tell the receiver', defaultConfigFile)
    .option('--diff', 'say what changed since the last report of an earlier day')
    .action(action(runReport))
}

/** Exit 0 when it is told, whatever it says; 3 when it could not be told: what changed is shown all the same. */
async function runReport(options: ReportOptions): Promise<number> {
  const config = readConfig(options)
  // What root leaves, the timer could not replace; and what root may do, the daemon may not.
  await becomeOwner(config.paths.state)
  await using client = makeClient(config, { connections: 1, idleTimeout: 30_000 })
  const report = await makeReport({ config, configFile: options.config, now: Date.now })
  if (options.diff && !options.json) process.stdout.write(`${describeChanges(report).join('\n')}\n`)
  await deliverReport(client, report)
  if (options.json) printJson(report)
  else process.stdout.write(`reported ${client.host}: ${report.outcome} (number ${report.sequence})\n`)
  return exit.clean
}
