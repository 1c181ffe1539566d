/** `PUT` and `GET /v1/host-health`: what a host's doctor found. Never gated: a sick host with stale code has to be able to say so. */
import type { IncomingMessage } from 'node:http'
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { mediaType } from '@cis490/shared/protocol.ts'
import { readBody } from '../http/body.ts'
import type { Peer } from '../http/peer.ts'
import type { Reports } from '../store/reports.ts'

export const maxReportBytes = 256 * 1024
/** A longer name does not fit a file with its suffixes. */
const maxHostLength = 240

export interface HostHealthPorts {
  readonly reports: Reports
  readonly limits: { readonly idle_timeout: number; readonly min_rate: number }
  /** May this caller read what other hosts reported? */
  readsAll(peer: Peer): boolean
  /** Of each that was stored. */
  counted(host: HostName, report: Readonly<Record<string, unknown>>): void
}

const noStore = { 'cache-control': 'no-store' }

/**
 * @param name the path's last part
 * @param proceed called when the body is wanted, for a client that waits to be asked
 * @returns the stored sequence, where the report was an older one and was ignored
 */
export async function putHostHealth(
  request: IncomingMessage,
  name: string,
  peer: Peer,
  ports: HostHealthPorts,
  proceed: () => void,
): Promise<number | undefined> {
  const host = name === peer.host ? peer.host : HostName.safeParse(name).data
  if (host === undefined || host.length > maxHostLength) throw new Refusal('bad-report', 'the path does not end in a host name')
  if (peer.host !== undefined && peer.host !== host)
    throw new Refusal('wrong-host', `${peer.host} may not report for ${host}`, {
      remediation: 'report with the certificate of this host',
    })
  proceed()
  const chunks: Buffer[] = []
  await readBody(request, ports.limits, maxReportBytes, (chunk) => {
    chunks.push(chunk)
    return undefined
  })
  const bytes = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
  const report = checkReport(bytes, host)
  const ignored = await ports.reports.store(host, bytes, report)
  if (ignored === undefined) ports.counted(host, report)
  return ignored
}

function checkReport(bytes: Buffer, host: HostName): Record<string, unknown> {
  const report = parseObject(bytes.toString('utf8'))
  if (!report) throw new Refusal('bad-report', 'a report is one JSON object')
  const named = report['host']
  if (named !== undefined && (typeof named !== 'string' || named.toLowerCase() !== host))
    throw new Refusal('bad-report', 'host in the report is not the host of the path')
  return report
}

/** One host's report, the bytes as they were sent. */
export async function getHostReport(name: string, peer: Peer, ports: HostHealthPorts): Promise<Response> {
  const host = HostName.safeParse(name).data
  if (host !== undefined && peer.host !== host && !ports.readsAll(peer))
    throw new Refusal('wrong-host', 'a host reads its own report; a name in [auth] readers reads all')
  const bytes = host && (await ports.reports.read(host))
  if (!bytes) throw new Refusal('not-found', 'this host has not reported')
  return new Response(new Uint8Array(bytes), { headers: { 'content-type': mediaType.json, ...noStore } })
}

/** All reports for who may read them, else the caller's own. */
export async function getAllReports(peer: Peer, ports: HostHealthPorts): Promise<Response> {
  const now = Date.now()
  const hosts = await ports.reports.readAll(now, ports.readsAll(peer) ? undefined : peer.host)
  return Response.json({ generated_at: timestamp(now), hosts }, { headers: noStore })
}
