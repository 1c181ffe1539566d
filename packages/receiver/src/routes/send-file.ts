/** A file that never changes under its name, sent with its hash; one range of it where that is asked for. */
import type { FileHandle } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { mediaType } from '@cis490/shared/protocol.ts'
import { parseRange } from '../core/range.ts'

export interface SentFile {
  readonly file: FileHandle
  /** Lower-case hex. */
  readonly sha256: string
  readonly bytes: number
}

export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { file, sha256, bytes }: SentFile,
): Promise<void> {
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
