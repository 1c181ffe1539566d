/** The receiver as seen from here: one connection pool a certificate, plain values for answers, nothing retried. */
import { X509Certificate } from 'node:crypto'
import { timestamp } from '@cis490/shared/ids.ts'
import { build } from '@cis490/shared/node/build.ts'
import { episodePath, gatePath, header, heartbeatPath, hostHealthPath, mediaType } from '@cis490/shared/protocol.ts'
import { Agent, type Dispatcher } from 'undici'
import type { Answer } from '../core/answer.ts'
import { uploadPath } from '../core/upload-state.ts'
import { ArchiveError, readPart } from './archive-part.ts'
import { resumingConnector } from './connector.ts'
import { Deadline } from './deadline.ts'
import { faultOf } from './faults.ts'
import type { Identity } from './identity.ts'
import { type Pace, unlimited } from './pace.ts'
import { readAnswer } from './read-answer.ts'

export interface ClientOptions {
  readonly url: string
  readonly identity: Identity
  readonly connections: number
  /** Milliseconds for DNS, TCP and TLS together. */
  readonly connectTimeout?: number
  /** Milliseconds without progress after which an answer is given up; the receiver syncs before it answers. */
  readonly idleTimeout?: number
  /** Asked before each piece of a body. */
  readonly pace?: Pace
}

export interface ToSend {
  readonly id: string
  readonly sha256: string
  readonly bytes: number
  readonly commit?: string | undefined
  readonly schema_version?: string | undefined
}

export interface Exchange {
  readonly headers?: Record<string, string>
  readonly body?: string | AsyncIterable<Uint8Array> | null
  readonly signal?: AbortSignal | undefined
  /** The answer needs no long work of the receiver: it is not waited for as long. */
  readonly quick?: true
}

/** Milliseconds for such an answer. */
const quickly = 60_000

export class Client implements AsyncDisposable {
  readonly host: string
  readonly pace: Pace
  #agent: Agent
  #origin: URL
  #base: string
  #identity: Identity
  #idleTimeout: number
  #answered = false

  constructor(options: ClientOptions) {
    const { identity } = options
    const { ca, cert, key } = identity
    this.#identity = identity
    this.host = identity.host
    this.pace = options.pace ?? unlimited
    this.#idleTimeout = options.idleTimeout ?? 300_000
    this.#origin = new URL(options.url)
    this.#base = this.#origin.pathname.replace(/\/$/, '')
    this.#agent = new Agent({
      // HTTP/2 is not spoken: a refused argument would wedge a cold pool for ever.
      allowH2: false,
      connections: options.connections,
      pipelining: 1,
      headersTimeout: this.#idleTimeout,
      bodyTimeout: this.#idleTimeout,
      connect: resumingConnector({
        allowH2: false,
        timeout: options.connectTimeout ?? 10_000,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      }),
    })
  }

  /** Sends the whole archive. @param onProgress told the bytes that were handed to the network */
  put(entry: ToSend, archivePath: string, onProgress: (bytes: number) => void, signal?: AbortSignal): Promise<Answer> {
    const headers = { ...episodeHeaders(entry), 'content-length': String(entry.bytes) }
    const part = { path: archivePath, bytes: entry.bytes, from: 0, to: entry.bytes, whole: true, onProgress }
    return this.request('PUT', episodePath(entry.id), { headers, body: readPart(part, this.pace, signal), signal })
  }

  head(id: string, signal?: AbortSignal): Promise<Answer> {
    return this.request('HEAD', episodePath(id), { signal })
  }

  gate(commit?: string, signal?: AbortSignal): Promise<Answer> {
    return this.request('GET', gatePath(commit), { signal, quick: true })
  }

  putReport(host: string, report: string, signal?: AbortSignal): Promise<Answer> {
    return this.request('PUT', hostHealthPath(host), { headers: { 'content-type': mediaType.json }, body: report, signal })
  }

  /** Of this very host. */
  heartbeat(said: string, signal?: AbortSignal): Promise<Answer> {
    const headers = { 'content-type': mediaType.json }
    return this.request('POST', heartbeatPath(this.host), { headers, body: said, signal, quick: true })
  }

  /** When the client certificate ends, RFC 3339. */
  get certNotAfter(): string | undefined {
    const { cert } = this.#identity
    return cert === undefined ? undefined : timestamp(new X509Certificate(cert).validToDate.getTime())
  }

  /** The client certificate, PEM. */
  get certificate(): string | undefined {
    return this.#identity.cert
  }

  /** The path of an upload resource that an answer names; undefined for any other place. */
  uploadPath(location: string | undefined): string | undefined {
    return uploadPath(location, this.#origin.origin, this.#base)
  }

  /** One request, no redirect followed, no retry. Never throws for what the network or the other side does. */
  async request(method: Dispatcher.HttpMethod, path: string, exchange: Exchange = {}): Promise<Answer> {
    const { headers = {}, body = null, signal, quick } = exchange
    const idle = quick ? Math.min(quickly, this.#idleTimeout) : this.#idleTimeout
    // undici measures pauses: an answer that trickles in has to end some time too.
    using answerBy = new Deadline(2 * idle)
    try {
      const response = await this.#agent.request({
        origin: this.#origin.origin,
        path: this.#base + path,
        method,
        headers: { ...this.#ownHeaders(), ...headers },
        // undici sends an async iterable as it stands; its type knows Node streams only.
        body: (typeof body === 'object' && body ? answerBy.after(body) : body) as string | null,
        headersTimeout: idle,
        signal: signal === undefined ? answerBy.signal : AbortSignal.any([signal, answerBy.signal]),
      })
      const answer = await readAnswer(response)
      this.#answered = true
      return answer
    } catch (error) {
      if (error instanceof ArchiveError) return { kind: 'fault', code: 'archive-unreadable', message: error.message }
      if (error instanceof Error && 'code' in error && error.code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH')
        return { kind: 'fault', code: 'archive-unreadable', message: 'the archive has not the length that its sidecar says' }
      return faultOf(error, {
        where: this.#origin.host,
        tls: this.#origin.protocol === 'https:',
        answeredBefore: this.#answered,
        certificate: this.#identity.cert !== undefined,
      })
    }
  }

  #ownHeaders(): Record<string, string> {
    const { token, cert, host } = this.#identity
    return {
      'user-agent': `cis490-agent/${build.version}`,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cert === undefined ? { [header.host]: host } : {}),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }

  /** Lets running requests end; for a client that a newer certificate replaces. */
  async retire(): Promise<void> {
    await this.#agent.close()
  }
}

/** What the wire asks for with an upload, whole or resumable. */
export function episodeHeaders(entry: ToSend): Record<string, string> {
  // A stamp goes out as it was recorded, as far as a header can carry it: whether it is a commit is the gate's to say.
  const commit = headerText(entry.commit)
  const schema = headerText(entry.schema_version)
  return {
    'content-type': mediaType.archive,
    [header.sha256]: entry.sha256,
    ...(commit ? { [header.commit]: commit } : {}),
    ...(schema ? { [header.schemaVersion]: schema } : {}),
  }
}

function headerText(value: string | undefined): string | undefined {
  return value !== undefined && /^[\x21-\x7e][\x20-\x7e]{0,255}$/.test(value) ? value : undefined
}
