/** Requests of a resumable upload, by hand. */

import type { Reachable } from './wire.ts'
import { ask, type Headers, type Identity, sha256, type WireAnswer } from './wire.ts'

export interface Creation {
  readonly commit?: string | undefined
  /** What is sent at once. */
  readonly body?: Uint8Array | undefined
  readonly headers?: Headers
  readonly identity?: Identity
}

export function creationHeaders(whole: Uint8Array, commit: string | undefined): Headers {
  return {
    'Content-Type': 'application/zstd',
    'X-Content-SHA256': sha256(whole),
    'X-Cis490-Code-Commit': commit,
    'Upload-Draft-Interop-Version': 8,
    'Upload-Complete': '?0',
    'Upload-Length': whole.length,
  }
}

export function create(
  to: Reachable,
  id: string,
  whole: Uint8Array,
  { commit, body, headers, identity }: Creation = {},
): Promise<WireAnswer> {
  return ask(to, `/v1/episodes/${id}.tar.zst`, {
    method: 'PUT',
    headers: { ...creationHeaders(whole, commit), ...(body === undefined && { 'Content-Length': 0 }), ...headers },
    ...(body !== undefined && { body }),
    ...(identity !== undefined && { identity }),
  })
}

/** The path of an upload that has just been created. @throws Error where there is none */
export async function created(to: Reachable, id: string, whole: Uint8Array, creation: Creation = {}): Promise<string> {
  const answer = await create(to, id, whole, creation)
  const path = answer.headers['location']
  if (answer.status !== 201 || path === undefined) throw new Error(`no upload: ${answer.status} ${answer.body.toString()}`)
  return path
}

export interface Part {
  readonly complete?: boolean
  readonly headers?: Headers
  readonly identity?: Identity
}

export function partHeaders(offset: number, complete = false): Headers {
  return {
    'Content-Type': 'application/partial-upload',
    'Upload-Draft-Interop-Version': 8,
    'Upload-Offset': offset,
    'Upload-Complete': complete ? '?1' : '?0',
  }
}

export function append(to: Reachable, path: string, offset: number, body: Uint8Array, part: Part = {}): Promise<WireAnswer> {
  return ask(to, path, {
    method: 'PATCH',
    headers: { ...partHeaders(offset, part.complete), ...part.headers },
    body,
    ...(part.identity !== undefined && { identity: part.identity }),
  })
}

export function look(to: Reachable, path: string, identity?: Identity): Promise<WireAnswer> {
  return ask(to, path, { method: 'HEAD', ...(identity !== undefined && { identity }) })
}

/** `[status, offset, complete]` */
export function stateOf({ status, headers }: WireAnswer): [number, number, string | undefined] {
  return [status, Number(headers['upload-offset'] ?? Number.NaN), headers['upload-complete']]
}
