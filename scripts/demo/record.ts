/** Runs the example recorder. */
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { type Child, ChildFailed, type Children, checkout, programs } from '../local-fleet/children.ts'
import type { AgentPlace } from '../local-fleet/configs.ts'

export interface Take {
  readonly seconds: number
  readonly commit: string
  readonly dirty: boolean
}

/** Records one episode. @returns its id */
export async function recordOne(children: Children, agent: AgentPlace, take: Take): Promise<string> {
  const child = await children.run(`recorder-${agent.host}`, programs.node, argumentsFor(agent, take), [0])
  const id = child.stdout.map((line) => parseObject(line)?.['id']).at(-1)
  if (typeof id === 'string') return id
  throw new ChildFailed(child, 'named no episode')
}

/** The same under a bar: it takes a while. */
export async function recordWithBar(children: Children, agent: AgentPlace, take: Take): Promise<string> {
  const bar = makeProgress({ label: 'recording, seconds', total: Math.ceil(take.seconds), unit: 'count', stream: process.stderr })
  const begun = performance.now()
  const tick = setInterval(() => bar.update(Math.floor((performance.now() - begun) / 1000)), 250)
  try {
    return await recordOne(children, agent, take)
  } finally {
    clearInterval(tick)
    bar.done()
  }
}

/** Records one episode after the other until it gets a signal. */
export function recordOn(children: Children, agent: AgentPlace, take: Take): Child {
  return children.start(`recorder-${agent.host}`, programs.node, [...argumentsFor(agent, take), '--loop'])
}

function argumentsFor(agent: AgentPlace, take: Take): string[] {
  const recorder = join(checkout, 'examples/recorder/record.ts')
  const named = ['--episodes', agent.episodes, '--host', agent.host, '--commit', take.commit, '--seconds', String(take.seconds)]
  return [recorder, ...named, ...(take.dirty ? ['--dirty'] : [])]
}
