/** What the headers of an upload resource say, read strictly: a value that is not exactly as the draft has it counts as absent. */
import { episodePath, header, uploadsPrefix } from '@cis490/shared/protocol.ts'
import type { Answered } from './answer.ts'

export interface UploadState {
  /** Bytes that the receiver has for good. */
  readonly offset: number
  readonly complete: boolean
  /** Of the whole archive. */
  readonly length?: number
  /** Hex, of the bytes before the offset. */
  readonly prefixSha256?: string
  /** The most that one part may carry. */
  readonly maxAppend?: number
}

type Headers = Answered['headers']

/** @returns undefined without a valid offset and completeness */
export function uploadState(headers: Headers): UploadState | undefined {
  const offset = integer(headers[header.uploadOffset])
  const complete = uploadComplete(headers)
  if (offset === undefined || complete === undefined) return undefined
  const length = integer(headers[header.uploadLength])
  const prefix = headers[header.prefixSha256]?.trim().toLowerCase()
  const maxAppend = limit(headers[header.uploadLimit], 'max-append-size')
  return {
    offset,
    complete,
    ...(length === undefined ? {} : { length }),
    ...(prefix !== undefined && /^[0-9a-f]{64}$/.test(prefix) ? { prefixSha256: prefix } : {}),
    ...(maxAppend === undefined ? {} : { maxAppend }),
  }
}

/** A structured boolean: `?1` or `?0`. */
export function uploadComplete(headers: Headers): boolean | undefined {
  const value = headers[header.uploadComplete]?.trim()
  return value === '?1' ? true : value === '?0' ? false : undefined
}

/** Where the upload is, when the receiver says that it is not where we thought. */
export function expectedOffset({ problem, headers }: Answered): number | undefined {
  return problem?.['expected-offset'] ?? integer(headers[header.uploadOffset])
}

/**
 * The path of an upload resource from `Location`: at the receiver's own origin and of its own form, anything else is never followed.
 * @param origin scheme, host and port of receiver.url. @param base the path of receiver.url, without its last slash
 */
export function uploadPath(location: string | undefined, origin: string, base: string): string | undefined {
  if (location === undefined || !URL.canParse(location, origin)) return undefined
  const url = new URL(location, origin + base + episodePath('x'))
  const path = base !== '' && url.pathname.startsWith(`${base}/`) ? url.pathname.slice(base.length) : url.pathname
  const known = url.origin === origin && url.search === '' && isUploadPath(path)
  return known ? path : undefined
}

export function isUploadPath(path: string): boolean {
  return path.startsWith(uploadsPrefix) && /^[A-Za-z0-9_-]{16,128}$/.test(path.slice(uploadsPrefix.length))
}

/** A structured integer that is no less than 0: at most 15 digits. */
function integer(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value.trim()) ? Number(value) : undefined
}

/** One member of a structured dictionary of integers. */
function limit(dictionary: string | undefined, key: string): number | undefined {
  for (const member of dictionary?.split(',') ?? []) {
    const [name, value] = member.split(';', 1)[0]?.split('=') ?? []
    if (name?.trim() === key) return integer(value)
  }
  return undefined
}
