/** The one writer of errors. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isErrno, rootCause } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { type Problem, problem, Refusal } from '@cis490/shared/problems.ts'
import { mediaType } from '@cis490/shared/protocol.ts'
import { jittered } from '../core/retry-after.ts'
import { type DrainLimits, drain } from './drain.ts'

export interface ErrorAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
  readonly problem: Problem
}

/** A refusal as it is, but for jitter in its `Retry-After`; anything else is a fault: logged here, once, with its cause, and told without detail. */
export function answerOf(error: unknown, log: Logger): ErrorAnswer {
  const root = error instanceof Refusal ? error : rootCause(error)
  if (!(root instanceof Refusal)) log.error({ err: error }, 'request failed')
  const plain = root instanceof Refusal ? root.problem : problemOfFault(root)
  const wait = plain.retry_after_s
  const told = wait === undefined ? plain : { ...plain, retry_after_s: jittered(wait, Math.random()) }
  const headers: Record<string, string> = { 'content-type': mediaType.problem, 'cache-control': 'no-store' }
  if (told.retry_after_s !== undefined) headers['retry-after'] = String(told.retry_after_s)
  if (told.status === 401) headers['www-authenticate'] = 'Bearer realm="cis490"'
  return { status: told.status, headers, body: JSON.stringify(told), problem: told }
}

/** A full disk or file table is told as such, wherever it was met: the client comes back another time. */
function problemOfFault(root: unknown): Problem {
  if (isErrno(root, 'ENOSPC', 'EDQUOT')) return problem('store-full', 'the disk of the receiver is full', { retry_after_s: 300 })
  if (isErrno(root, 'EMFILE', 'ENFILE'))
    return problem('overloaded', 'the receiver has too many files open', { retry_after_s: 5 })
  return problem('internal', 'the receiver could not do this; its log says why')
}

/** Answers a client that may still be sending, and waits until it has the answer. @returns bytes read and thrown away */
export async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  answer: ErrorAnswer,
  limits: DrainLimits,
  extra: Record<string, string> = {},
): Promise<number> {
  if (response.headersSent || response.destroyed) {
    request.destroy()
    return 0
  }
  response.writeHead(answer.status, { ...answer.headers, ...extra, 'content-length': Buffer.byteLength(answer.body) })
  response.write(answer.body)
  const { bytes, ended } = await drain(request, limits)
  response.end()
  if (!ended) closeInStages(request)
  return bytes
}

/** After an answer to a request whose body nobody read: it is drained within the same bounds, then the connection is closed. */
export function drainUnread(request: IncomingMessage, response: ServerResponse, limits: DrainLimits): void {
  // First of all listeners: Node's own would have the rest read without end, and uncounted, unless reading has begun.
  response.prependOnceListener('finish', () => {
    if (request.complete) return
    request.read(0)
    void drain(request, limits).then(({ ended }) => ended || closeInStages(request))
  })
}

/** RFC 9112 section 9.6: our side is closed first and the other side gets a moment to read; a bare close would destroy the answer on its way. */
function closeInStages(request: IncomingMessage): void {
  const { socket } = request
  socket.end()
  request.resume()
  const timer = setTimeout(() => socket.destroy(), 1000).unref()
  socket.once('close', () => clearTimeout(timer))
}
