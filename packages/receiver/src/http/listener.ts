/** Sockets and servers: TLS and plain, their time limits, and how they end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { isIPv4 } from 'node:net'
import { UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { answerBadRequests } from './bad-request.ts'
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
  // Who has said all and closes that half still waits for the answer. Node's TLS sockets cannot: they lose count of such connections.
  if (!options.tls) Object.assign(server, { httpAllowHalfOpen: true })
  server.on('request', handle)
  // Without this listener Node would say "100 Continue" before anybody has looked at the request.
  server.on('checkContinue', handle)
  answerBadRequests(server)
  return server
}

export function secureOptions({ cert, key }: TlsMaterial) {
  return { ...clientCertificateOptions, cert, key, minVersion: 'TLSv1.3' } as const
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
