/** Sockets and servers: TLS and plain, their time limits, and how they end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { isIPv4, type Socket } from 'node:net'
import { UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { problem } from '@cis490/shared/problems.ts'
import { episodesPrefix } from '@cis490/shared/protocol.ts'
import { clientCertificateOptions } from './tls-peer.ts'

export interface TlsMaterial {
  readonly cert: string
  readonly key: string
}

export interface ListenerOptions {
  /** ms until the headers have to be there */
  readonly headerTimeout: number
  readonly connections: number
  readonly tls?: TlsMaterial
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

/**
 * The certificate is asked for, not demanded: the program judges it, so that the client can be told what is wrong.
 * `requestTimeout` would cover the body and end long uploads, so it is off; `readBody` has limits of its own.
 * High-water mark of 1 MiB: far fewer, larger chunks.
 */
export function createListener(options: ListenerOptions, handle: RequestHandler): Server | TlsServer {
  const common = {
    requestTimeout: 0,
    headersTimeout: options.headerTimeout,
    keepAliveTimeout: 65_000,
    highWaterMark: 1 << 20,
    connectionsCheckingInterval: 1000,
  }
  const server = options.tls
    ? createTlsServer({
        ...common,
        ...secureOptions(options.tls),
        ALPNProtocols: ['http/1.1'],
      })
    : createServer(common)
  server.maxConnections = options.connections
  server.on('request', handle)
  // Without this listener Node would say "100 Continue" before anybody has looked at the request.
  server.on('checkContinue', handle)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => badRequest(error, socket as Socket))
  return server
}

export function secureOptions({ cert, key }: TlsMaterial) {
  return { ...clientCertificateOptions, cert, key, minVersion: 'TLSv1.3' } as const
}

/** The parser fails again on whatever comes after the fault; the answer that is on its way must outlive that. */
const told = new WeakSet<Socket>()

function badRequest(error: ParseError, socket: Socket): void {
  if (told.has(socket)) return
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  told.add(socket)
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const body = JSON.stringify(slow ? problem('too-slow', 'the request headers did not come in time') : badSyntax(error))
  const status = slow
    ? '408 Request Timeout'
    : error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request'
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const timer = setTimeout(() => socket.destroy(), 1000).unref()
  socket.once('close', () => clearTimeout(timer))
}

interface ParseError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer
}

/** A byte that no request target may have (RFC 9112 section 3.2) ends the parser before the routes see it. */
function badSyntax(error: ParseError): object {
  const start = error.rawPacket?.toString('latin1', 0, 64) ?? ''
  return error.code === 'HPE_INVALID_URL' && start.includes(` ${episodesPrefix}`)
    ? problem('bad-id', 'the path of an episode is ASCII; nothing is percent-decoded')
    : { title: 'Not valid HTTP', status: 400 }
}

/** @returns the address that it listens on. Rejects with the system's error (EADDRINUSE, EACCES). */
export function listen(server: Server | TlsServer, address: string): Promise<{ host: string; port: number }> {
  const at = address.lastIndexOf(':')
  const host = address.slice(0, at).replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(Number(address.slice(at + 1)), host, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve({ host, port: typeof bound === 'object' && bound ? bound.port : 0 })
    })
  })
}

/**
 * @param key the configuration key that the address is from
 * @returns the address as it stands in a URL. @throws UserError that says what to do
 */
export async function listenOn(server: Server, address: string, key: string): Promise<string> {
  try {
    const { host, port } = await listen(server, address)
    return `${host.includes(':') ? `[${host}]` : host}:${port}`
  } catch (error) {
    throw new UserError(
      `${key}: cannot listen on ${address}: ${messageOf(error)}; another program may have the port, see: ss -ltnp`,
    )
  }
}

/** Takes no new connection, lets running requests end until the deadline, then cuts. */
export async function closeListener(server: Server | TlsServer, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const cut = setTimeout(() => server.closeAllConnections(), deadlineMs)
  server.closeIdleConnections()
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}

export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}
