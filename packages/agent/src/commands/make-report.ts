/** One report of this host: made, kept for tomorrow, and told to the receiver. */
import { UserError } from '@cis490/shared/node/cli.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { HostReport, ReportChanges } from '@cis490/shared/report.ts'
import type { AgentConfig } from '../config.ts'
import { fitReport } from '../core/fit-report.ts'
import { reportChanges } from '../core/report-changes.ts'
import { freeNow } from '../doctor/checks/disk-trend.ts'
import { addFreeSample } from '../doctor/disk-history.ts'
import { keepReport, readEarlierReport } from '../doctor/kept-reports.ts'
import type { Client } from '../ship/client.ts'
import { examine, takePosition } from './examine.ts'
import { hostChecks, type Subject } from './host-checks.ts'

/** Runs all checks. What is only remembered may be lost on a full disk: a sample of the trend, a day to compare with. */
export async function makeReport(subject: Subject): Promise<HostReport> {
  const { config, now } = subject
  const report = await examine(config, await hostChecks(subject), await takePosition(config), now)
  const changes = await changesOf(config, report)
  await rememberFree(config, now()).catch(() => undefined)
  // Without its changes, or each would carry all before it.
  await keepReport(config.paths.state, report).catch(() => undefined)
  return { ...report, changes }
}

async function changesOf({ paths }: AgentConfig, report: HostReport): Promise<ReportChanges | null> {
  const earlier = await readEarlierReport(paths.state, report.generated_at)
  return earlier ? reportChanges(earlier, report) : null
}

async function rememberFree({ paths }: AgentConfig, now: number): Promise<void> {
  await addFreeSample(paths.state, { at: now, free: await freeNow([paths.outbox, paths.episodes]) })
}

/** @throws UserError (exit 3) when the receiver did not take it */
export async function deliverReport(client: Client, report: HostReport): Promise<void> {
  const answer = await client.putReport(client.host, JSON.stringify(fitReport(report)))
  if (answer.kind === 'fault') throw new UserError(`the report was not delivered: ${answer.message}`)
  if (answer.status < 300 && answer.status >= 200) return
  const reason = answer.problem ? printable(`${answer.problem.title}: ${answer.problem.detail}`) : 'not an answer of the receiver'
  throw new UserError(`the report was not delivered: ${answer.status} ${reason}`)
}
