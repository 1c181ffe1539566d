/** What requests of a resumable upload say of themselves, read once. */
import { header, mediaType } from '@cis490/shared/protocol.ts'
import { type HeaderRecord, type Refused, readDigest } from './claim.ts'
import { sfBoolean, sfCount } from './structured-field.ts'

/** `Upload-Complete` of a PUT: `false` asks for an upload resource; anything else is a plain PUT. */
export function uploadComplete(headers: HeaderRecord): boolean | undefined {
  return sfBoolean(one(headers, header.uploadComplete))
}

/** Where both are told, the length of a whole body has to be that of the episode (draft section Length). */
export function plainLengthVerdict(headers: HeaderRecord): Refused | undefined {
  const told = sfCount(one(headers, header.uploadLength))
  const length = contentLength(headers)
  if (told === undefined || length === undefined || told === length) return undefined
  return inconsistent(`Upload-Length says ${told} bytes, Content-Length ${length}`)
}

export interface Creation {
  /** Bytes of the whole episode. */
  readonly length: number
  /** `undefined` where the body is chunked. */
  readonly contentLength: number | undefined
  readonly contentDigest: string | undefined
}

export function readCreation(headers: HeaderRecord): Creation | Refused {
  const length = sfCount(one(headers, header.uploadLength))
  if (length === undefined)
    return { code: 'upload-length-missing', detail: 'send Upload-Length with the bytes of the whole episode' }
  const contentDigest = readDigest(one(headers, header.contentDigest))
  if (contentDigest === 'malformed') return { code: 'bad-append', detail: 'Content-Digest cannot be read' }
  const told = bodyLength(headers)
  if (told !== undefined && told > length)
    return inconsistent(`the body has ${told} bytes, but Upload-Length says ${length} for the whole`)
  return { length, contentLength: told, contentDigest }
}

export interface Append {
  readonly offset: number
  readonly complete: boolean
  /** `Upload-Length`, where it is sent again. */
  readonly length: number | undefined
  /** `undefined` where the body is chunked. */
  readonly contentLength: number | undefined
  readonly contentDigest: string | undefined
  readonly expectsContinue: boolean
}

export function readAppend(headers: HeaderRecord): Append | Refused {
  const type = one(headers, 'content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== mediaType.partialUpload)
    return { code: 'unsupported-media-type', detail: `an append has Content-Type: ${mediaType.partialUpload}` }
  const encoding = one(headers, 'content-encoding')?.trim().toLowerCase()
  if (encoding && encoding !== 'identity')
    return { code: 'content-encoding', detail: 'send the bytes of the archive as they are, without Content-Encoding' }
  const offset = sfCount(one(headers, header.uploadOffset))
  if (offset === undefined) return { code: 'bad-append', detail: 'send Upload-Offset with the place where these bytes begin' }
  const complete = uploadComplete(headers)
  if (complete === undefined) return { code: 'bad-append', detail: 'send Upload-Complete: ?1 with the last bytes, else ?0' }
  const contentDigest = readDigest(one(headers, header.contentDigest))
  if (contentDigest === 'malformed') return { code: 'bad-append', detail: 'Content-Digest cannot be read' }
  return {
    offset,
    complete,
    length: sfCount(one(headers, header.uploadLength)),
    contentLength: bodyLength(headers),
    contentDigest,
    expectsContinue: one(headers, 'expect')?.trim().toLowerCase() === '100-continue',
  }
}

export function inconsistent(detail: string): Refused {
  return { code: 'inconsistent-upload-length', detail }
}

/** Without `Content-Length` and without chunks there is no body (RFC 9112 section 6.3). */
function bodyLength(headers: HeaderRecord): number | undefined {
  return one(headers, 'transfer-encoding') === undefined ? (contentLength(headers) ?? 0) : undefined
}

function contentLength(headers: HeaderRecord): number | undefined {
  const value = one(headers, 'content-length')
  return value === undefined ? undefined : Number(value)
}

function one(headers: HeaderRecord, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
