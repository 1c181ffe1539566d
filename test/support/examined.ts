/** The doctor's checks of a host that stands in a temporary folder, run for real. */
import type { CheckResult } from '@cis490/shared/check.ts'
import { hostChecks } from '../../packages/agent/src/commands/host-checks.ts'
import { AgentConfig } from '../../packages/agent/src/config.ts'
import { runChecks } from '../../packages/agent/src/doctor/run-checks.ts'
import { selectChecks } from '../../packages/agent/src/doctor/select.ts'
import { scratchDir } from './scratch.ts'

type Section = Record<string, unknown>

/** Folders of its own; nothing of the machine is touched. */
export function hostConfig(receiver: Section, more: Record<string, Section> = {}): AgentConfig {
  const root = scratchDir()
  const paths = { episodes: `${root}/episodes`, outbox: `${root}/outbox`, state: `${root}/state` }
  return AgentConfig.parse({ paths, doctor: { checks: `${root}/doctor.d` }, quota: { reserve: '0' }, receiver, ...more })
}

/** @param only codes; empty: all. @returns results by code */
export async function examined(
  config: AgentConfig,
  only: readonly string[] = [],
  now = Date.now,
): Promise<Record<string, CheckResult>> {
  const checks = selectChecks(await hostChecks({ config, configFile: 'lab-host.toml', now }), { only, skip: [] })
  if (typeof checks === 'string') throw new Error(checks)
  return Object.fromEntries((await runChecks(checks)).map((result) => [result.code, result]))
}
