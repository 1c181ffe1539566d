/** `GET` and `HEAD /v1/episodes/<id>.tar.zst`: the archive with its hash, ranges included. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { printable } from '@cis490/shared/printable.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { mediaType } from '@cis490/shared/protocol.ts'
import { parseRange } from '../core/range.ts'
import type { DrainLimits } from '../http/drain.ts'
import { drainUnread } from '../http/problem.ts'
import type { Episodes } from '../store/episodes.ts'

/** @throws Refusal not-found, pruned */
export async function getEpisode(
  request: IncomingMessage,
  response: ServerResponse,
  key: { host: HostName; id: EpisodeId },
  { episodes, drain }: { readonly episodes: Episodes; readonly drain: DrainLimits },
): Promise<void> {
  const stored = await episodes.find(key)
  await using file = stored && (await episodes.openArchive(key))
  if (stored?.pruned) throw new Refusal('pruned', `taken out at ${stored.pruned.at}: ${printable(stored.pruned.reason)}`)
  if (!stored || !file) throw new Refusal('not-found', 'this episode is not stored here')
  drainUnread(request, response, drain)
  const { sha256, bytes } = stored.receipt
  const headers = {
    'content-type': mediaType.archive,
    etag: `"sha256-${sha256}"`,
    'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
    'accept-ranges': 'bytes',
    'cache-control': 'private, immutable',
  }
  const range = parseRange(wantedRange(request, headers.etag), bytes)
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${bytes}`, 'content-length': 0 }).end()
    return
  }
  const [start, end] = range ?? [0, bytes - 1]
  const part = range && { 'content-range': `bytes ${start}-${end}/${bytes}` }
  response.writeHead(range ? 206 : 200, { ...headers, ...part, 'content-length': end - start + 1 })
  if (request.method === 'HEAD' || bytes === 0) {
    response.end()
    return
  }
  await pipeline(file.createReadStream({ start, end, highWaterMark: 1 << 20, autoClose: false }), response)
}

/** Ranges are for GET alone (RFC 9110 section 14.2), and only of the bytes that the client has begun with. */
function wantedRange(request: IncomingMessage, etag: string): string | undefined {
  const ifRange = request.headers['if-range']
  if (request.method !== 'GET' || (ifRange !== undefined && ifRange !== etag)) return undefined
  return request.headers.range
}
