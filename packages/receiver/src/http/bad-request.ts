/** What Node's parser ends before a route could answer: bytes that are no HTTP, headers that do not come, bodies that end early. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { type Problem, problem } from '@cis490/shared/problems.ts'
import { episodesPrefix } from '@cis490/shared/protocol.ts'

interface ParseError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer
}

type Fault = Pick<Problem, 'title' | 'status'> & Partial<Problem>

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

export function answerBadRequests(server: Server | TlsServer): void {
  /** The request that a connection has carried last. */
  const carried = new WeakMap<Socket, IncomingMessage>()
  /** The parser fails again on whatever comes after the fault; the answer that is on its way must outlive that. */
  const told = new WeakSet<Socket>()
  const note = (request: IncomingMessage, response: ServerResponse) => {
    carried.set(request.socket, request)
    // An idle connection keeps nothing of it.
    response.once('close', () => {
      if (carried.get(request.socket) === request) carried.delete(request.socket)
    })
  }
  server.on('request', note).on('checkContinue', note)
  server.on('clientError', (error: ParseError, duplex) => {
    const socket = duplex as Socket
    if (told.has(socket)) return
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    told.add(socket)
    answer(socket, faultOf(error, carried.get(socket)))
  })
}

function answer(socket: Socket, fault: Fault): void {
  const body = JSON.stringify(fault)
  const head = `HTTP/1.1 ${fault.status} ${reasons[fault.status]}\r\nConnection: close\r\nContent-Type: application/problem+json`
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  const timer = setTimeout(() => socket.destroy(), 1000).unref()
  socket.once('close', () => clearTimeout(timer))
}

function faultOf(error: ParseError, request: IncomingMessage | undefined): Fault {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return problem('too-slow', 'the request headers did not come in time')
  if (error.code === 'HPE_HEADER_OVERFLOW') return { title: 'Not valid HTTP', status: 431 }
  if (error.code === 'HPE_INVALID_EOF_STATE' && request && !request.complete) return endedEarly(request)
  const start = error.rawPacket?.toString('latin1', 0, 64) ?? ''
  // A byte that no request target may have (RFC 9112 section 3.2) ends the parser before the routes see it.
  return error.code === 'HPE_INVALID_URL' && start.includes(` ${episodesPrefix}`)
    ? problem('bad-id', 'the path of an episode is ASCII; nothing is percent-decoded')
    : { title: 'Not valid HTTP', status: 400 }
}

/** A client that has closed its half of the connection still hears us. What an upload has of its bytes, it keeps. */
function endedEarly({ method, url = '' }: IncomingMessage): Problem {
  return method === 'PUT' && url.startsWith(episodesPrefix)
    ? problem('sha256-mismatch', 'the connection was closed for sending before the end of the body')
    : problem('too-slow', 'the connection was closed for sending before the end of the body')
}
