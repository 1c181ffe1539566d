/** `cis490-agent report`: the doctor's report to the receiver. Never gated: a host with old code must be able to say how it is. */
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { makeClient } from '../app.ts'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import { freeNow } from '../doctor/checks/disk-trend.ts'
import { addFreeSample } from '../doctor/disk-history.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { examine, takePosition } from './examine.ts'
import { hostChecks } from './host-checks.ts'

export function registerReport(program: Command): void {
  addCommand(program, 'report', 'examine this host and tell the receiver', defaultConfigFile).action(action(runReport))
}

/** Exit 0 when it is told, whatever it says; 3 when it could not be told. */
async function runReport(options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  await using client = makeClient(config, { connections: 1, idleTimeout: 30_000 })
  const checks = await hostChecks({ config, configFile: options.config, now: Date.now })
  const report = await examine(config, checks, await takePosition(config), Date.now)
  await rememberFree(config).catch(() => undefined)
  const answer = await client.putReport(client.host, JSON.stringify(report))
  if (answer.kind === 'fault') throw new UserError(`the report was not delivered: ${answer.message}`)
  if (answer.status >= 300 || answer.status < 200) {
    const reason = answer.problem
      ? printable(`${answer.problem.title}: ${answer.problem.detail}`)
      : 'not an answer of the receiver'
    throw new UserError(`the report was not delivered: ${answer.status} ${reason}`)
  }
  if (options.json) printJson(report)
  else process.stdout.write(`reported ${client.host}: ${report.outcome} (number ${report.sequence})\n`)
  return exit.clean
}

/** For the trend; a full disk costs one sample, no report. */
async function rememberFree({ paths }: AgentConfig): Promise<void> {
  await addFreeSample(paths.state, { at: Date.now(), free: await freeNow([paths.outbox, paths.episodes]) })
}
