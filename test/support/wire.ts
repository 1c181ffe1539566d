/** A client that writes HTTP by hand on a TLS socket, so that a test decides over every byte and when it goes out. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import type { Problem } from '@cis490/shared/problems.ts'
import type { Issued } from '../../packages/receiver/src/ca/authority.ts'
import type { Pki } from './pki.ts'

export interface Reachable {
  readonly url: string
  readonly pki: Pki
}

export interface WireAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export type Headers = Readonly<Record<string, string | number | undefined>>

/** null: no client certificate; left out: that of the site's host. */
export type Identity = (Issued & { readonly chain?: string | undefined }) | null | undefined

export class Wire implements Disposable {
  readonly socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #over = false
  readonly #waiting = new Set<() => void>()

  private constructor(socket: Socket) {
    this.socket = socket
    const wake = () => {
      for (const look of this.#waiting) look()
    }
    socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
      wake()
    })
    const over = () => {
      this.#over = true
      wake()
    }
    // A receiver that closes while we send is an outcome; `answer` and `closed` tell of it.
    socket.on('error', over).on('end', over).on('close', over)
  }

  /** On a connection that is there already. */
  static on(socket: Socket): Wire {
    return new Wire(socket)
  }

  /** @param signal ends the attempt, the handshake included */
  static async connect(to: Reachable, identity?: Identity, signal?: AbortSignal): Promise<Wire> {
    const { hostname, port, protocol } = new URL(to.url)
    if (protocol === 'http:') {
      const socket = connectPlain(Number(port), hostname)
      await once(socket, 'connect')
      return new Wire(socket)
    }
    const who: Identity = identity === undefined ? to.pki.host : identity
    const socket = connectTls({
      host: hostname,
      port: Number(port),
      servername: 'localhost',
      secureContext: contextOf(to.pki, who),
    })
    await once(socket, 'secureConnect', { ...(signal && { signal }) }).catch((error: unknown) => {
      socket.on('error', () => undefined).destroy()
      throw error
    })
    return new Wire(socket)
  }

  /** Resolves when the bytes were handed on; also when the other side has closed. */
  async write(bytes: string | Uint8Array): Promise<void> {
    if (this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)) return
    await new Promise<void>((resolve) => {
      const done = () => {
        this.socket.off('drain', done).off('close', done)
        resolve()
      }
      if (this.socket.destroyed) return resolve()
      this.socket.on('drain', done).on('close', done)
    })
  }

  /** The next answer, an interim one (1xx) included. */
  async answer(method = 'PUT'): Promise<WireAnswer> {
    const end = await this.#until(() => {
      const at = this.#received.indexOf('\r\n\r\n')
      return at < 0 ? undefined : at + 4
    })
    const [first = '', ...lines] = this.#received.toString('latin1', 0, end - 4).split('\r\n')
    this.#received = this.#received.subarray(end)
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1])
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const bodiless = status < 200 || status === 204 || method === 'HEAD'
    return { status, headers, body: bodiless ? Buffer.alloc(0) : await this.#body(headers) }
  }

  async #body(headers: Readonly<Record<string, string>>): Promise<Buffer> {
    if (headers['transfer-encoding'] !== 'chunked') return await this.#take(Number(headers['content-length'] ?? 0))
    const parts: Buffer[] = []
    for (;;) {
      const line = await this.#until(() => {
        const at = this.#received.indexOf('\r\n')
        return at < 0 ? undefined : at
      })
      const size = Number.parseInt((await this.#take(line + 2)).toString('latin1'), 16)
      parts.push((await this.#take(size + 2)).subarray(0, size))
      if (size === 0) return Buffer.concat(parts)
    }
  }

  async #take(bytes: number): Promise<Buffer> {
    await this.#until(() => (this.#received.length >= bytes ? true : undefined))
    const taken = this.#received.subarray(0, bytes)
    this.#received = this.#received.subarray(bytes)
    return taken
  }

  async #until<T>(find: () => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const look = () => {
      const found = find()
      if (found !== undefined) resolve(found)
      else if (this.#over) reject(new Error(`the connection ended; received: ${this.#received.toString('latin1')}`))
    }
    this.#waiting.add(look)
    look()
    return await promise.finally(() => this.#waiting.delete(look))
  }

  /** Nothing says yet that the connection has ended. */
  get open(): boolean {
    return !this.#over && !this.socket.destroyed
  }

  /** Bytes that came and belong to no answer taken so far. */
  get unread(): number {
    return this.#received.length
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

const contexts = new WeakMap<object, WeakMap<object, SecureContext>>()

/** Made once for each authority and certificate: reading keys costs more than a handshake. */
function contextOf(pki: Pki, who: NonNullable<Identity> | null): SecureContext {
  const known = contexts.get(pki) ?? new WeakMap<object, SecureContext>()
  contexts.set(pki, known)
  const made =
    known.get(who ?? pki) ??
    createSecureContext({
      ca: pki.authority.certPem,
      ...(who && { cert: who.certPem + (who.chain ?? ''), key: who.keyPem }),
    })
  known.set(who ?? pki, made)
  return made
}

/** Request line and headers, ready to send. */
export function requestHead(method: string, target: string, headers: Headers = {}): string {
  const lines = Object.entries(headers)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}\r\n`
}

export interface Question {
  readonly method?: string
  readonly headers?: Headers
  readonly body?: Uint8Array | string
  readonly identity?: Identity
}

/** One request on a connection of its own. */
export async function ask(to: Reachable, target: string, question: Question = {}): Promise<WireAnswer> {
  const { method = 'GET', headers = {}, body, identity } = question
  using wire = await Wire.connect(to, identity)
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }
  await wire.write(requestHead(method, target, { Connection: 'close', ...length, ...headers }))
  if (body !== undefined) await wire.write(typeof body === 'string' ? Buffer.from(body) : body)
  return await wire.answer(method)
}

export interface Upload {
  readonly commit?: string | undefined
  readonly headers?: Headers
  readonly identity?: Identity
}

export function uploadHeaders(body: Uint8Array, commit: string | undefined): Headers {
  return { 'Content-Type': 'application/zstd', 'X-Content-SHA256': sha256(body), 'X-Cis490-Code-Commit': commit }
}

/** A plain PUT of a whole archive. */
export function put(to: Reachable, id: string, body: Uint8Array, upload: Upload = {}): Promise<WireAnswer> {
  const headers = { ...uploadHeaders(body, upload.commit), ...upload.headers }
  return ask(to, `/v1/episodes/${id}.tar.zst`, {
    method: 'PUT',
    headers,
    body,
    ...(upload.identity !== undefined && { identity: upload.identity }),
  })
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The refusal in an answer. @throws Error where it is not problem JSON */
export function problemOf(answer: WireAnswer): Problem {
  if (answer.headers['content-type'] !== 'application/problem+json')
    throw new Error(`no problem JSON: ${answer.status} ${answer.body.toString()}`)
  return JSON.parse(answer.body.toString()) as Problem
}

export function jsonOf(answer: WireAnswer): Record<string, unknown> {
  return JSON.parse(answer.body.toString()) as Record<string, unknown>
}
