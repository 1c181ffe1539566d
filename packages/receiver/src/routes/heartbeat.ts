/** `POST /v1/hosts/<host>/heartbeat`: a host is alive; the answer says what is asked of it. Never gated. */
import type { IncomingMessage } from 'node:http'
import { type Directives, Heartbeat, type HeartbeatRow, heartbeatRow, maxHeartbeatBytes } from '@cis490/shared/heartbeat.ts'
import { HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { readBody } from '../http/body.ts'
import type { Peer } from '../http/peer.ts'

export interface HeartbeatPorts {
  readonly limits: { readonly idle_timeout: number; readonly min_rate: number }
  /** In memory; written down a little later. @param now epoch milliseconds */
  note(row: HeartbeatRow, now: number): void
  /** undefined: nothing is asked of this host, and it has no wave. @param row what it said */
  directives(row: HeartbeatRow, now: number): Directives | undefined
}

/** @param name the host in the path @param proceed called when the body is wanted, for a client that waits to be asked */
export async function postHeartbeat(
  request: IncomingMessage,
  name: string,
  peer: Peer,
  ports: HeartbeatPorts,
  proceed: () => void,
): Promise<Response> {
  const host = HostName.safeParse(name).data
  if (host === undefined) throw new Refusal('bad-report', 'the path has no host name between /v1/hosts/ and /heartbeat')
  if (peer.host !== undefined && peer.host !== host)
    throw new Refusal('wrong-host', `${peer.host} may not speak for ${host}`, {
      remediation: 'send heartbeats with the certificate of this host',
    })
  proceed()
  const chunks: Buffer[] = []
  await readBody(request, ports.limits, maxHeartbeatBytes, (chunk) => {
    chunks.push(chunk)
    return undefined
  })
  const now = Date.now()
  const row = heartbeatRow(host, parseHeartbeat(Buffer.concat(chunks).toString('utf8'), host), now)
  ports.note(row, now)
  const asked = ports.directives(row, now)
  return asked ? Response.json(asked, { headers: { 'cache-control': 'no-store' } }) : new Response(null, { status: 204 })
}

/** @throws Refusal that names what is wrong */
function parseHeartbeat(text: string, host: HostName): Heartbeat {
  const said = parseObject(text)
  if (!said) throw new Refusal('bad-report', 'a heartbeat is one JSON object')
  const named = said['host']
  if (named !== undefined && (typeof named !== 'string' || named.toLowerCase() !== host))
    throw new Refusal('bad-report', 'host in the heartbeat is not the host of the path')
  const parsed = Heartbeat.safeParse(said)
  if (parsed.success) return parsed.data
  const [fault] = parsed.error.issues
  throw new Refusal('bad-report', `heartbeat: ${fault?.path.join('.')}: ${fault?.message}`)
}
