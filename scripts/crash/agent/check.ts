/** The end of every agent point: start anew, look, ship what is left, look again. */
import { gateAsker } from '../../../packages/agent/src/commands/ask-gate.ts'
import type { AgentContext } from '../../../packages/agent/src/commands/context.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import type { Checked, Finding, Place } from '../scenario.ts'
import { lookAtHost } from './look.ts'
import { agentConfig, besideReceiver, withAgent } from './place.ts'

/** As `cis490-agent ship` does: pack what is finished, send each ready entry once. */
export async function shipOnce(place: Place, url: string, more: Record<string, object> = {}): Promise<void> {
  await withAgent(agentConfig(place, url, more), async (context, app, signal) => {
    await scan(context, { gateAllows: gateAsker(app.shipping, signal), signal })
    await shipPass(app.shipping, 'all', signal)
  })
}

/** A start without a receiver, up to the end of the first scan. */
export async function restartAgent(place: Place, more: Record<string, object> = {}): Promise<void> {
  await withAgent(agentConfig(place, 'http://127.0.0.1:9', more), async (context) => void (await scan(context)))
}

export interface AgentCheck {
  readonly more?: Record<string, object>
  /** What a person does again who was not told that it is done. */
  again?(context: AgentContext): Promise<void>
  /** What is promised besides. */
  look?(place: Place, checked: Checked): Finding[]
}

export async function checkAgent(place: Place, checked: Checked, { more, again, look }: AgentCheck = {}): Promise<Finding[]> {
  await restartAgent(place, more)
  const findings: Finding[] = []
  await besideReceiver(place, async (url) => {
    findings.push(...lookAtHost(place, false), ...(look?.(place, checked) ?? []))
    if (again) await withAgent(agentConfig(place, url, more), again)
    // The first one may only hear that an upload is still there, or come before the time that it was told.
    for (let turn = 0; turn < 2; turn++) await shipOnce(place, url, more)
    await restartAgent(place, more)
  })
  return [...findings, ...lookAtHost(place, true), ...(look?.(place, checked) ?? [])]
}
