/** One look at whatever answers at the receiver's address: its certificate, how it was judged, and the time it has. Nothing is trusted, and no token is sent. */
import { request as plainRequest } from 'node:http'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'

export interface HelloOptions {
  readonly url: string
  readonly path: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export interface Hello {
  /** Absent for plain HTTP, and where no TLS came about. */
  readonly tls?: {
    readonly protocol: string
    /** Code of the fault, as OpenSSL and Node name them; absent: trusted, and for this name. */
    readonly distrust?: string
    readonly subject: string
    readonly from: number
    readonly to: number
  }
  /** The other side's clock less ours, milliseconds; its own has whole seconds. */
  readonly skewMs?: number
  /** Why there was no answer. */
  readonly error?: unknown
}

/** Never throws for what the other side does. */
export async function hello({ url, path, ca, cert, key }: HelloOptions, now: () => number, signal: AbortSignal): Promise<Hello> {
  const at = new URL(url)
  const secure = at.protocol === 'https:'
  const material = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  const options = {
    host: at.hostname.replace(/^\[|\]$/g, ''),
    port: at.port || (secure ? 443 : 80),
    path: at.pathname.replace(/\/$/, '') + path,
    agent: false,
    signal,
  }
  const { promise, resolve } = Promise.withResolvers<Hello>()
  let seen: Hello = {}
  const asked = secure ? request({ ...options, ...material, rejectUnauthorized: false }) : plainRequest(options)
  const began = now()
  asked.once('socket', (socket) =>
    socket.once('secureConnect', () => {
      seen = { tls: describeTls(socket as TLSSocket) }
    }),
  )
  asked.once('response', (response) => {
    response.resume()
    const theirs = Date.parse(response.headers.date ?? '')
    resolve({ ...seen, ...(Number.isNaN(theirs) ? {} : { skewMs: skew(theirs, began, now()) }) })
    asked.destroy()
  })
  asked.on('error', (error) => resolve({ ...seen, error: withReason(error) }))
  asked.end()
  return await promise
}

/** A handshake that fails has its reason in the text only: `…:SSL routines:<function>:<reason>:…` becomes a code, as Node has elsewhere. */
function withReason(error: Error): Error {
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1]
  const code = reason && `ERR_SSL_${reason.toUpperCase().replaceAll(/\W+/g, '_')}`
  return code ? Object.assign(new Error(reason), { code }) : error
}

function describeTls(socket: TLSSocket): NonNullable<Hello['tls']> {
  const peer = socket.getPeerCertificate()
  const distrust = socket.authorized ? undefined : String(socket.authorizationError)
  return {
    protocol: socket.getProtocol() ?? 'TLS',
    ...(distrust === undefined ? {} : { distrust }),
    subject: [peer.subject?.CN].flat()[0] ?? 'no name',
    from: Date.parse(peer.valid_from),
    to: Date.parse(peer.valid_to),
  }
}

/** Zero as long as their whole second may lie within the time of the question. */
export function skew(theirs: number, began: number, ended: number): number {
  if (theirs > ended) return theirs - ended
  const theirEnd = theirs + 999
  return theirEnd < began ? theirEnd - began : 0
}
