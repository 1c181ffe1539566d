/** The running receiver, by its admin socket: plain HTTP, one connection a request. */
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { socketPath } from '@cis490/shared/node/socket-path.ts'

export interface AdminAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface AdminQuestion {
  readonly headers?: Readonly<Record<string, string>>
  /** Read only when the receiver wants the body. Its length is in the headers. */
  readonly body?: () => AsyncIterable<Uint8Array>
}

export class AdminClient {
  readonly #socketPath: string
  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** Whether a receiver answers. @throws what else is wrong with the socket, a refused permission for instance */
  async answers(): Promise<boolean> {
    try {
      return (await this.ask('GET', '/healthz')).status === 200
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ECONNREFUSED')) return false
      throw error
    }
  }

  /** The verdict comes before the body (RFC 9110 section 10.1.1), so a refused body is not even read. */
  async ask(method: string, path: string, { headers = {}, body }: AdminQuestion = {}): Promise<AdminAnswer> {
    const expect = body ? { expect: '100-continue' } : {}
    using short = socketPath(this.#socketPath)
    const outgoing = request({ socketPath: short.path, method, path, agent: false, headers: { ...headers, ...expect } })
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    outgoing.on('response', resolve).on('error', reject)
    let sending = Promise.resolve()
    if (body) {
      outgoing.flushHeaders()
      outgoing.once('continue', () => {
        sending = send(outgoing, body()).catch(reject)
      })
    } else outgoing.end()
    try {
      const response = await promise
      return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) }
    } finally {
      outgoing.on('error', () => undefined)
      outgoing.destroy()
      await sending
    }
  }
}

/** Ends when the receiver has answered before the end: it needs no more. */
async function send(outgoing: ReturnType<typeof request>, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) {
    if (outgoing.destroyed || outgoing.errored) return
    if (!outgoing.write(chunk)) await drained(outgoing)
  }
  if (!outgoing.destroyed) outgoing.end()
}

function drained(outgoing: ReturnType<typeof request>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done).off('close', done)
      resolve()
    }
    if (outgoing.destroyed) return resolve()
    outgoing.on('drain', done).on('close', done)
  })
}
