/** What the receiver says about one episode and its commit, where it can be asked. */
import { Explanation } from '@cis490/shared/explain.ts'
import type { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { explainPath } from '@cis490/shared/protocol.ts'
import { makeClient } from '../app.ts'
import type { AgentConfig } from '../config.ts'
import { gateOf } from './ask-gate.ts'

export interface ReceiverSays {
  readonly reached: boolean
  /** Why there is no explanation. */
  readonly detail?: string
  readonly explanation?: Explanation
  /** On the episode's commit. */
  readonly gate?: GateAnswer | undefined
}

const patienceMs = 10_000

/** @param commit asked about too, where given. Never throws: what this host knows itself is worth telling without the receiver. */
export async function askReceiver(config: AgentConfig, id: string, commit: string | undefined): Promise<ReceiverSays> {
  try {
    return await ask(config, id, commit)
  } catch (error) {
    if (error instanceof ConfigError) return { reached: false, detail: error.message }
    throw error
  }
}

async function ask(config: AgentConfig, id: string, commit: string | undefined): Promise<ReceiverSays> {
  await using client = makeClient(config, { connections: 1, connectTimeout: 4000, idleTimeout: 8000 })
  const signal = AbortSignal.timeout(patienceMs)
  const answer = await client.request('GET', `${explainPath}?id=${encodeURIComponent(id)}`, { signal })
  if (answer.kind === 'fault')
    return { reached: false, detail: answer.code === 'aborted' ? `no answer within ${patienceMs / 1000} s` : answer.message }
  const explanation = answer.status === 200 ? Explanation.safeParse(parseObject(answer.body)).data : undefined
  const gate = commit === undefined ? undefined : gateOf(await client.gate(commit, signal))
  if (explanation) return { reached: true, explanation, gate }
  const said = answer.problem ? `${answer.problem.title}: ${answer.problem.detail}` : 'not an answer that explains anything'
  return { reached: true, detail: `${answer.status} ${said}`, gate }
}
