/** The checks of this host and the report that they make. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { worstOutcome } from '@cis490/shared/check.ts'
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { build } from '@cis490/shared/node/build.ts'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { HostReport } from '@cis490/shared/report.ts'
import { z } from 'zod'
import type { AgentConfig } from '../config.ts'
import type { Check } from '../doctor/check.ts'
import { readLastUpdate } from '../doctor/last-update.ts'
import { runChecks } from '../doctor/run-checks.ts'
import { loadIdentity } from '../ship/identity.ts'

/** Runs the checks. Works with a broken certificate: that is one of the findings. @param onResult as for `runChecks` */
export async function examine(
  config: AgentConfig,
  checks: readonly Check[],
  position: ReportPosition,
  now: () => number,
  onResult?: (done: number) => void,
): Promise<HostReport> {
  const results = await runChecks(checks, onResult)
  const update = await readLastUpdate(config.paths.state)
  return {
    schema_version: 1,
    host: hostOf(config),
    generated_at: timestamp(now()),
    ...position,
    outcome: worstOutcome(results.map((result) => result.outcome)),
    agent_version: build.version,
    commit: build.commit,
    wave: config.update.wave,
    ...(update && { update }),
    results,
  }
}

const unnamed = HostName.parse('unknown')

function hostOf(config: AgentConfig): HostName {
  try {
    return loadIdentity(config.receiver, config.host.name).host
  } catch {
    return config.host.name ?? unnamed
  }
}

const ReportPosition = z.object({ report_epoch: z.string().min(1), sequence: z.int().nonnegative() })
export type ReportPosition = z.infer<typeof ReportPosition>

/** Where the host's reports stand; a host that never reported gets an epoch of its own. */
export async function readPosition(config: AgentConfig): Promise<ReportPosition> {
  const text = await readFile(positionPath(config), 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
  return ReportPosition.safeParse(parseObject(text)).data ?? { report_epoch: randomBytes(8).toString('hex'), sequence: 0 }
}

/** The next number, durable before it is used. On a full disk it is used all the same: the receiver takes an equal number, and the report has to get through. */
export async function takePosition(config: AgentConfig): Promise<ReportPosition> {
  const { report_epoch, sequence } = await readPosition(config)
  const next = { report_epoch, sequence: sequence + 1 }
  try {
    await makeDir(config.paths.state)
    await replaceFile(positionPath(config), `${JSON.stringify(next)}\n`)
  } catch (error) {
    if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS')) throw error
  }
  return next
}

function positionPath(config: AgentConfig): string {
  return join(config.paths.state, 'report.json')
}
