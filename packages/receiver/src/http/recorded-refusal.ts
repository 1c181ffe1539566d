/** What is written down of a refused upload. */
import type { IncomingMessage } from 'node:http'
import { timestamp } from '@cis490/shared/ids.ts'
import { header } from '@cis490/shared/protocol.ts'
import type { RejectRow } from '@cis490/shared/rejection.ts'
import type { ErrorAnswer } from './problem.ts'

export interface RefusedUpload {
  readonly request: IncomingMessage
  readonly answer: ErrorAnswer
  readonly host: string | undefined
  readonly id: string | undefined
  /** Of an upload whose request does not carry it. */
  readonly stamp?: string | undefined
  readonly bytesRead: number
  readonly now: number
}

export function rejectRow({ request, answer, host, id, stamp, bytesRead, now }: RefusedUpload): RejectRow {
  const commit = request.headers[header.commit] ?? stamp
  const remote = request.socket.remoteAddress
  return {
    at: timestamp(now),
    ...(host !== undefined && { host }),
    ...(id !== undefined && { id }),
    status: answer.status,
    code: answer.problem.code,
    ...(typeof commit === 'string' && { commit: commit.slice(0, 128) }),
    ...(remote !== undefined && { remote }),
    bytes_read: bytesRead,
  }
}
