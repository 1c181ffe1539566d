/** `/v1/uploads/<u>` on the raw Node request: where an upload is, more of it, its end. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { problems, Refusal } from '@cis490/shared/problems.ts'
import { header, mediaType, uploadsPrefix } from '@cis490/shared/protocol.ts'
import { isFinal } from '../core/upload-verdict.ts'
import { type Peer, requireClaimedHost, requireHost } from '../http/peer.ts'
import { drainUnread, type ErrorAnswer } from '../http/problem.ts'
import type { Upload } from '../store/upload.ts'
import { type AppendUploadPorts, appendUpload } from './append-upload.ts'
import { type RawRoute, rawTarget } from './dispatch.ts'
import { type About, answerFailure, type FailedPorts } from './failed-request.ts'
import { goneHeaders, progressHeaders, uploadHeaders } from './upload-answer.ts'

export interface UploadsPorts extends AppendUploadPorts, FailedPorts {
  /** Certificate, then bearer. @throws Refusal */
  authenticate(request: IncomingMessage): Peer
  /** Why nobody is served now. */
  unavailable(): Refusal | undefined
}

const allow = 'HEAD, GET, PATCH, DELETE, OPTIONS'

export function uploadsRoute(ports: UploadsPorts): RawRoute {
  return { prefix: uploadsPrefix, serve: (request, response) => serveUpload(request, response, ports) }
}

interface Seen {
  peer?: Peer
  upload?: Upload
}

async function serveUpload(request: IncomingMessage, response: ServerResponse, ports: UploadsPorts): Promise<void> {
  const seen: Seen = {}
  try {
    seen.peer = ports.authenticate(request)
    const closed = ports.unavailable()
    if (closed) throw closed
    if (!allow.split(', ').includes(request.method ?? '')) throw new Refusal('method-not-allowed', `an upload takes ${allow}`)
    requireClaimedHost(request, seen.peer)
    seen.upload = findUpload(request, seen.peer, ports)
    await serve(request, response, seen.upload, seen.peer, ports)
  } catch (error) {
    await answerFailure(request, response, error, about(seen, ports), ports)
  }
}

/** Only its own host learns that there is such an upload. */
function findUpload(request: IncomingMessage, peer: Peer, ports: UploadsPorts): Upload {
  const host = requireHost(peer)
  const found = ports.uploads.find(rawTarget(request).slice(uploadsPrefix.length), Date.now())
  if (found === 'expired') throw new Refusal('upload-gone', 'this upload has expired; create it anew', {}, 410)
  if (!found || found.state.host !== host) throw gone()
  return found
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  upload: Upload,
  peer: Peer,
  ports: UploadsPorts,
): Promise<void> {
  if (request.method === 'PATCH') return await appendUpload(request, response, upload, peer, ports)
  if (request.method === 'OPTIONS') {
    drainUnread(request, response, ports.drain)
    response.writeHead(204, { allow, 'accept-patch': mediaType.partialUpload, ...progressHeaders(upload, false, ports) }).end()
    return
  }
  using _turn = await upload.turn()
  if (upload.gone) throw gone()
  drainUnread(request, response, ports.drain)
  if (request.method === 'DELETE') {
    await ports.uploads.remove(upload)
    ports.log.info({ event: 'upload-cancelled', ...upload.key, upload: upload.name, offset: upload.offset }, 'upload cancelled')
    response.writeHead(204, goneHeaders(upload.finished !== undefined, ports)).end()
    return
  }
  response.writeHead(204, progressHeaders(upload, upload.finished !== undefined, ports)).end()
}

function gone(): Refusal {
  return new Refusal('upload-gone', 'there is no such upload; create it anew')
}

function about({ peer, upload }: Seen, ports: UploadsPorts): About {
  return {
    host: peer?.host,
    id: upload?.state.id,
    stamp: upload?.state.stamp,
    headers: (answer) => headersOf(answer, upload, ports),
    // What only says where to go on is no refusal of an episode.
    recorded: ({ problem }) =>
      upload !== undefined && !['none', 'resume', 'create-anew'].includes(problems[problem.code].consequence),
  }
}

function headersOf({ status, problem }: ErrorAnswer, upload: Upload | undefined, ports: UploadsPorts): Record<string, string> {
  return {
    ...(status === 405 && { allow }),
    ...(status === 415 && { 'accept-patch': mediaType.partialUpload }),
    ...(upload && !upload.gone && uploadHeaders(upload, isFinal(problem) && upload.finished !== undefined, ports)),
    ...(upload?.gone && { [header.uploadComplete]: '?0' }),
  }
}
