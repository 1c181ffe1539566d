/** Header fields of answers about a resumable upload. */
import { header, uploadsPrefix } from '@cis490/shared/protocol.ts'
import { uploadLimit } from '../core/upload-verdict.ts'
import type { Upload } from '../store/upload.ts'
import { gateHeader } from './receipt-answer.ts'

export interface UploadAnswerPorts {
  readonly limits: { readonly max_episode_size: number }
}

/** What every 2xx about an upload says: where it is, and the gate's verdict at its creation. */
export function progressHeaders(
  upload: Upload,
  complete: boolean,
  ports: UploadAnswerPorts & { readonly gateWindow: number },
): Record<string, string> {
  return { ...uploadHeaders(upload, complete, ports), ...gateHeader(upload.state.gate, ports.gateWindow) }
}

/** Of an upload that is gone nothing is left to append to. */
export function goneHeaders(complete: boolean, ports: UploadAnswerPorts): Record<string, string> {
  return {
    [header.uploadComplete]: complete ? '?1' : '?0',
    [header.uploadLimit]: uploadLimit(ports.limits.max_episode_size, 0, 0),
    'cache-control': 'no-store',
  }
}

export function uploadPath(upload: Upload): string {
  return `${uploadsPrefix}${upload.name}`
}

/**
 * Where the upload is.
 * @param complete whether the answer comes from looking at the whole episode
 */
export function uploadHeaders(upload: Upload, complete: boolean, ports: UploadAnswerPorts): Record<string, string> {
  const prefix = upload.hash.known(upload.offset)
  return {
    [header.uploadComplete]: complete ? '?1' : '?0',
    [header.uploadOffset]: String(upload.offset),
    [header.uploadLength]: String(upload.state.length),
    [header.uploadLimit]: uploadLimit(ports.limits.max_episode_size, upload.expiresAt, Date.now()),
    'cache-control': 'no-store',
    ...(prefix !== undefined && upload.finished === undefined && { [header.prefixSha256]: prefix }),
  }
}
