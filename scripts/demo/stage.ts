/** Steps 1 to 3: certificates, the gate's history, a receiver, and two lab hosts that know it. */
import { join } from 'node:path'
import { makeCertificates } from '../local-fleet/certificates.ts'
import { type Children, checkout } from '../local-fleet/children.ts'
import { type AgentPlace, type ReceiverPlace, writeAgentConfig, writeReceiverConfig } from '../local-fleet/configs.ts'
import { findHistory, type History } from '../local-fleet/history.ts'
import { type ReceiverRunning, startReceiver } from '../local-fleet/listening.ts'
import { staleHost, thisHost } from './host-name.ts'
import { say } from './say.ts'

export interface Stage {
  readonly history: History
  readonly receiver: ReceiverRunning & ReceiverPlace
  readonly host: AgentPlace
  readonly stale: AgentPlace
}

export async function setStage(dir: string, children: Children): Promise<Stage> {
  const name = thisHost()
  const certificates = await makeCertificates(join(dir, 'certificates'), [name, staleHost])
  say.step('Certificates', `a throw-away CA, a server certificate, and one for each of ${name} and ${staleHost}`)

  const history = await findHistory(checkout, dir)
  const whose = history.made ? 'a small history made for the demo' : `the history of ${checkout}`
  say.step('Gate', `lets in the last 100 commits of ${history.branch}: ${whose}, head ${history.head.slice(0, 12)}`)

  const place = await writeReceiverConfig(dir, certificates, history)
  const receiver = { ...place, ...(await startReceiver(children, place.config)) }
  say.step('Receiver', `listens on ${receiver.url} (mutual TLS), for operators on ${receiver.opsUrl}`)

  const host = await writeAgentConfig(dir, name, receiver.url, certificates)
  const stale = await writeAgentConfig(dir, staleHost, receiver.url, certificates)
  return { history, receiver, host, stale }
}
