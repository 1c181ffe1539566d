/** Sockets and servers: TLS and plain, their time limits, and how they end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { isIPv4, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { answerBadRequests } from './bad-request.ts'
import { type Connections, standingRoom } from './connections.ts'
import { clientCertificateOptions } from './tls-peer.ts'

export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  /** When the certificate ends, epoch milliseconds. */
  readonly endsAt?: number
}

export interface ListenerOptions {
  /** ms until the headers have to be there */
  readonly headerTimeout: number
  readonly connections: Connections
  /** Answers a request that comes on one connection too many. */
  readonly turnAway: RequestHandler
  /** Told of each connection that was closed unheard. */
  readonly onDrop?: () => void
  readonly tls?: TlsMaterial
  /** Told of each TLS handshake, whether it went on with an earlier session. */
  readonly onHandshake?: (resumed: boolean) => void
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

/**
 * The certificate is asked for, not demanded: the program judges it, so that the client can be told what is wrong.
 * `requestTimeout` would cover the body and end long uploads, so it is off; `readBody` has limits of its own.
 * High-water mark of 1 MiB: far fewer, larger chunks. An idle connection holds none of it.
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
        handshakeTimeout: options.headerTimeout,
        ALPNProtocols: ['http/1.1'],
      })
    : createServer(common)
  const { connections, turnAway } = options
  server.maxConnections = connections.most + standingRoom(connections.most)
  server.on('drop', () => options.onDrop?.())
  // Who has said all and closes that half still waits for the answer. Node's TLS sockets cannot: they lose count of such connections.
  if (!options.tls) Object.assign(server, { httpAllowHalfOpen: true })
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => connections.opened(socket))
  server.on('secureConnection', (socket: TLSSocket) => options.onHandshake?.(socket.isSessionReused()))
  const serve: RequestHandler = (request, response) =>
    connections.serves(request.socket, response) ? handle(request, response) : turnAway(request, response)
  server.on('request', serve)
  // Without this listener Node would say "100 Continue" before anybody has looked at the request.
  server.on('checkContinue', serve)
  answerBadRequests(server)
  return server
}

/** Who is asked for each request anew may keep a session for long. Seconds. */
const sessionTimeout = 24 * 3600

/** Node's own three. It would take AES-256 first, which costs both ends a tenth more for each byte. */
const ciphers = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'

export function secureOptions({ cert, key }: TlsMaterial) {
  return { ...clientCertificateOptions, cert, key, minVersion: 'TLSv1.3', ciphers, sessionTimeout } as const
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
