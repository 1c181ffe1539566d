/** One listener's requests: raw routes by the prefix of their target, everything else to the small routes. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { getRequestListener } from '@hono/node-server'
import type { DrainLimits } from '../http/drain.ts'
import type { RequestHandler } from '../http/listener.ts'
import { answerOf, drainUnread, refuse } from '../http/problem.ts'

/** A route on the raw Node request: nothing is decoded before it looks. */
export interface RawRoute {
  readonly prefix: string
  /** Whether this one is for it; left out: everything with the prefix. @param target the path and query as sent */
  takes?(request: IncomingMessage, target: string): boolean
  /** Never throws: it answers and logs every outcome itself. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>
}

export interface DispatchPorts {
  readonly log: Logger
  readonly drain: DrainLimits
  /** Why no small route is served now; raw routes ask for themselves. */
  unavailable(): Refusal | undefined
}

/** @param small the hono application of this listener */
export function dispatcher(
  raw: readonly RawRoute[],
  small: { readonly fetch: Parameters<typeof getRequestListener>[0] },
  { log, drain, unavailable }: DispatchPorts,
): RequestHandler {
  // A target that is no URL never reaches a route.
  const errorHandler = () => {
    const { status, headers, body } = answerOf(new Refusal('not-found', 'there is nothing at this path'), log)
    return new Response(body, { status, headers })
  }
  const listener = getRequestListener(small.fetch, { overrideGlobalObjects: false, errorHandler })
  return (request, response) => {
    const target = rawTarget(request)
    const route = raw.find((one) => target.startsWith(one.prefix) && (one.takes?.(request, target) ?? true))
    if (route) return void route.serve(request, response)
    const closed = unavailable()
    if (closed) return void refuse(request, response, answerOf(closed, log), drain, { connection: 'close' })
    drainUnread(request, response, drain)
    // No route looks at the name that the client called us by, and HTTP/1.0 has none.
    request.headers.host = 'receiver'
    void listener(request, response)
  }
}

/** The path and query as sent; of an absolute target (RFC 9112 section 3.2.2) what follows the authority. */
export function rawTarget(request: IncomingMessage): string {
  return (request.url ?? '').replace(/^https?:\/\/[^/]*/i, '')
}

export function shuttingDown(): Refusal {
  return new Refusal('shutting-down', 'the receiver is shutting down', { retry_after_s: 5 })
}
