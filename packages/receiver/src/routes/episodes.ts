/** `/v1/episodes/<id>.tar.zst` on the raw Node request: routing by the raw target, refusals that reach a client that is still sending. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { HostName } from '@cis490/shared/ids.ts'
import { printable } from '@cis490/shared/printable.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { episodesPrefix } from '@cis490/shared/protocol.ts'
import type { RejectRow } from '@cis490/shared/rejection.ts'
import { type EpisodeTarget, episodeTarget } from '../core/target.ts'
import { BodyCut, bodyBytesRead } from '../http/body.ts'
import type { DrainLimits } from '../http/drain.ts'
import { type Peer, requireHost } from '../http/peer.ts'
import { answerOf, refuse } from '../http/problem.ts'
import { rejectRow } from '../http/recorded-refusal.ts'
import { type RawRoute, rawTarget } from './dispatch.ts'
import { getEpisode } from './get-episode.ts'
import { type PutEpisodePorts, putEpisode } from './put-episode.ts'

export interface EpisodesPorts extends PutEpisodePorts {
  readonly drain: DrainLimits
  readonly allow: readonly string[]
  /** Certificate, then bearer. @throws Refusal */
  authenticate(request: IncomingMessage): Peer
  /** Why nobody is served now. */
  unavailable(): Refusal | undefined
  readsAll(peer: Peer): boolean
  recordRejection(row: RejectRow): Promise<void>
}

export function episodesRoute(ports: EpisodesPorts): RawRoute {
  return { prefix: episodesPrefix, serve: (request, response) => serveEpisode(request, response, ports) }
}

/** Never throws: every outcome is answered and logged here. */
async function serveEpisode(request: IncomingMessage, response: ServerResponse, ports: EpisodesPorts): Promise<void> {
  const seen: Seen = { target: targetOf(request) }
  try {
    seen.peer = ports.authenticate(request)
    const closed = ports.unavailable()
    if (closed) throw closed
    await dispatch(request, response, seen, ports)
  } catch (error) {
    await answerError(request, response, error, seen, ports)
  }
}

interface Seen {
  readonly target: EpisodeTarget
  peer?: Peer
}

async function dispatch(
  request: IncomingMessage,
  response: ServerResponse,
  { target, peer }: Seen,
  ports: EpisodesPorts,
): Promise<void> {
  if (!peer) return
  if (!ports.allow.includes(request.method ?? ''))
    throw new Refusal('method-not-allowed', `an episode takes ${ports.allow.join(', ')}`)
  if (target.kind === 'other') throw new Refusal('not-found', 'there is nothing at this path')
  if (target.kind !== 'episode') throw new Refusal(target.kind, target.detail)
  if (request.method === 'PUT') {
    await putEpisode(request, response, target.id, peer, ports)
    return
  }
  await getEpisode(request, response, { host: readableHost(request, peer, ports), id: target.id }, ports.episodes)
}

/** The caller's own, or `?host=` for who may read everything. */
function readableHost(request: IncomingMessage, peer: Peer, ports: EpisodesPorts): HostName {
  const named = new URLSearchParams(request.url?.split('?')[1] ?? '').get('host')
  if (named === null) return requireHost(peer)
  const host = HostName.safeParse(named).data
  if (host === undefined) throw new Refusal('not-found', 'host= does not name a host')
  if (host !== peer.host && !ports.readsAll(peer)) throw new Refusal('wrong-host', 'a host reads its own episodes')
  return host
}

async function answerError(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  { target, peer }: Seen,
  ports: EpisodesPorts,
): Promise<void> {
  const id = target.kind === 'episode' ? target.id : undefined
  if (error instanceof BodyCut || response.headersSent) {
    ports.log.info({ event: 'cut', host: peer?.host, id, bytes: bodyBytesRead(request), reason: String(error) }, 'transfer cut')
    response.destroy()
    return
  }
  const answer = answerOf(error, ports.log)
  const extra: Record<string, string> = {
    ...(answer.status === 405 && { allow: ports.allow.join(', ') }),
    ...(answer.problem.code === 'shutting-down' && { connection: 'close' }),
  }
  // The row is for the monitor; a full disk must not keep the answer from the client.
  const rest = refuse(request, response, answer, ports.drain, extra)
  if (request.method !== 'PUT') {
    await rest
    return
  }
  ports.metrics.refused.inc({ code: answer.problem.code })
  const detail = printable(answer.problem.detail)
  ports.log.info(
    { event: 'refused', host: peer?.host, id, status: answer.status, code: answer.problem.code, detail },
    'upload refused',
  )
  const bytesRead = bodyBytesRead(request)
  await ports
    .recordRejection(rejectRow({ request, answer, host: peer?.host, id, bytesRead, now: Date.now() }))
    .catch((failure: unknown) => ports.log.error({ err: failure }, 'cannot write rejects.jsonl'))
  await rest
}

/** A PUT has no query: whatever follows the prefix is the name. */
function targetOf(request: IncomingMessage): EpisodeTarget {
  const raw = rawTarget(request)
  return episodeTarget(request.method === 'PUT' ? raw : (raw.split('?')[0] as string))
}
