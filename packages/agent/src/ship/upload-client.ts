/** The requests of a resumable upload (draft-ietf-httpbis-resumable-upload, interop version 8). */
import { episodePath, header, interopVersion, mediaType } from '@cis490/shared/protocol.ts'
import type { Answer } from '../core/answer.ts'
import { readPart } from './archive-part.ts'
import { type Client, episodeHeaders, type ToSend } from './client.ts'

const speaks = { [header.uploadInterop]: interopVersion }
const incomplete = { [header.uploadComplete]: '?0' }
const complete = { [header.uploadComplete]: '?1' }

/** No byte of the archive flows: the answer is the verdict of gate, store and quota, and where the upload is. */
export function createUpload(client: Client, entry: ToSend, signal: AbortSignal): Promise<Answer> {
  const headers = { ...episodeHeaders(entry), ...speaks, ...incomplete, [header.uploadLength]: String(entry.bytes) }
  return client.request('PUT', episodePath(entry.id), { headers, signal, quick: true })
}

/** Where the upload is. */
export function askUpload(client: Client, path: string, signal: AbortSignal): Promise<Answer> {
  return client.request('HEAD', path, { headers: speaks, signal, quick: true })
}

export interface PartToSend {
  readonly archivePath: string
  /** Of the whole archive. */
  readonly bytes: number
  readonly from: number
  /** Exclusive; the part ends earlier when the pace asks for it. */
  readonly to: number
  readonly onProgress: (bytes: number) => void
}

/** Sends some more. Its length is not told, for it may end at any time. */
export function appendToUpload(client: Client, path: string, part: PartToSend, signal: AbortSignal): Promise<Answer> {
  const headers = { ...speaks, ...incomplete, 'content-type': mediaType.partialUpload, [header.uploadOffset]: String(part.from) }
  const { archivePath, bytes, from, to, onProgress } = part
  const body = readPart({ path: archivePath, bytes, from, to, whole: false, onProgress }, client.pace, signal)
  return client.request('PATCH', path, { headers, body, signal, quick: true })
}

/** Says that this was all. The answer is the one that a PUT of the whole would have had; asked again, it is the same. */
export function finishUpload(client: Client, path: string, offset: number, signal: AbortSignal): Promise<Answer> {
  const headers = { ...speaks, ...complete, 'content-type': mediaType.partialUpload, [header.uploadOffset]: String(offset) }
  return client.request('PATCH', path, { headers, signal })
}

export function cancelUpload(client: Client, path: string, signal: AbortSignal): Promise<Answer> {
  return client.request('DELETE', path, { headers: speaks, signal, quick: true })
}
