/** `/v1/episodes/<id>.tar.zst` on the raw Node request: routing by the raw target, refusals that reach a client that is still sending. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { episodesPrefix, header } from '@cis490/shared/protocol.ts'
import { type EpisodeTarget, episodeTarget } from '../core/target.ts'
import { uploadComplete } from '../core/upload-request.ts'
import { uploadLimit } from '../core/upload-verdict.ts'
import { type Peer, requireHost } from '../http/peer.ts'
import { drainUnread } from '../http/problem.ts'
import type { Upload } from '../store/upload.ts'
import { type RawRoute, rawTarget } from './dispatch.ts'
import { type About, answerFailure, type FailedPorts } from './failed-request.ts'
import { getEpisode } from './get-episode.ts'
import { type PutEpisodePorts, putEpisode } from './put-episode.ts'
import { uploadHeaders, uploadPath } from './upload-answer.ts'

export interface EpisodesPorts extends PutEpisodePorts, FailedPorts {
  readonly metrics: PutEpisodePorts['metrics']
  readonly log: PutEpisodePorts['log']
  readonly drain: PutEpisodePorts['drain']
  readonly allow: readonly string[]
  /** Certificate, then bearer. @throws Refusal */
  authenticate(request: IncomingMessage): Peer
  /** Why nobody is served now. */
  unavailable(): Refusal | undefined
  readsAll(peer: Peer): boolean
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
    await answerFailure(request, response, error, about(request, seen, ports), ports)
  }
}

interface Seen {
  readonly target: EpisodeTarget
  peer?: Peer
  upload?: Upload
}

async function dispatch(request: IncomingMessage, response: ServerResponse, seen: Seen, ports: EpisodesPorts): Promise<void> {
  const { target, peer } = seen
  if (!peer) return
  if (!ports.allow.includes(request.method ?? ''))
    throw new Refusal('method-not-allowed', `an episode takes ${ports.allow.join(', ')}`)
  if (target.kind === 'other') throw new Refusal('not-found', 'there is nothing at this path')
  if (target.kind !== 'episode') throw new Refusal(target.kind, target.detail)
  if (request.method === 'PUT') {
    await putEpisode(request, response, target.id, peer, ports, (upload) => {
      seen.upload = upload
    })
    return
  }
  if (request.method === 'OPTIONS') {
    drainUnread(request, response, ports.drain)
    response.writeHead(204, { allow: ports.allow.join(', '), ...limits(ports) }).end()
    return
  }
  await getEpisode(request, response, { host: readableHost(request, peer, ports), id: target.id }, ports)
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

function about(request: IncomingMessage, { target, peer, upload }: Seen, ports: EpisodesPorts): About {
  const creates = request.method === 'PUT' && uploadComplete(request.headers) === false
  return {
    host: peer?.host,
    id: target.kind === 'episode' ? target.id : undefined,
    headers: ({ status, problem }) => ({
      ...(status === 405 && { allow: ports.allow.join(', ') }),
      ...(request.method === 'PUT' && problem.code === 'too-large' && limits(ports)),
      ...(creates && problem.code === 'content-conflict' && { ...limits(ports), [header.uploadComplete]: '?1' }),
      ...(creates && problem.code === 'upload-in-progress' && { ...limits(ports), [header.uploadComplete]: '?0' }),
      ...(creates && problem.code === 'inconsistent-upload-length' && { [header.uploadComplete]: '?0' }),
      ...(upload && !upload.gone && { ...uploadHeaders(upload, false, ports), location: uploadPath(upload) }),
    }),
    recorded: () => request.method === 'PUT',
  }
}

/** What is known before there is an upload (draft section Limits). */
function limits({ limits, uploads }: EpisodesPorts): Record<string, string> {
  return { [header.uploadLimit]: uploadLimit(limits.max_episode_size, uploads.maxAgeMs, 0) }
}

/** A PUT has no query: whatever follows the prefix is the name. */
function targetOf(request: IncomingMessage): EpisodeTarget {
  const raw = rawTarget(request)
  return episodeTarget(request.method === 'PUT' ? raw : (raw.split('?')[0] as string))
}
