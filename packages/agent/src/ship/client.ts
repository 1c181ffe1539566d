/** The receiver as seen from here: one connection pool a certificate, plain values for answers, nothing retried. */
import { createReadStream } from 'node:fs'
import { build } from '@cis490/shared/node/build.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { episodePath, gatePath, header, hostHealthPath, mediaType } from '@cis490/shared/protocol.ts'
import { Agent, type Dispatcher } from 'undici'
import type { Answer } from '../core/answer.ts'
import { faultOf } from './faults.ts'
import type { Identity } from './identity.ts'
import { readAnswer } from './read-answer.ts'

export interface ClientOptions {
  readonly url: string
  readonly identity: Identity
  readonly connections: number
  /** Milliseconds for DNS, TCP and TLS together. */
  readonly connectTimeout?: number
  /** Milliseconds without progress after which an answer is given up; the receiver syncs before it answers. */
  readonly idleTimeout?: number
}

export interface ToSend {
  readonly id: string
  readonly sha256: string
  readonly bytes: number
  readonly commit?: string | undefined
  readonly schema_version?: string | undefined
}

export class Client implements AsyncDisposable {
  readonly host: string
  #agent: Agent
  #origin: URL
  #base: string
  #identity: Identity
  #answered = false

  constructor(options: ClientOptions) {
    const { identity } = options
    const { ca, cert, key } = identity
    this.#identity = identity
    this.host = identity.host
    this.#origin = new URL(options.url)
    this.#base = this.#origin.pathname.replace(/\/$/, '')
    this.#agent = new Agent({
      // HTTP/2 is not spoken: a refused argument would wedge a cold pool for ever.
      allowH2: false,
      connections: options.connections,
      pipelining: 1,
      headersTimeout: options.idleTimeout ?? 300_000,
      bodyTimeout: options.idleTimeout ?? 300_000,
      connect: {
        timeout: options.connectTimeout ?? 10_000,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      },
    })
  }

  /** Sends the whole archive. @param onProgress told the bytes that were handed to the network */
  put(entry: ToSend, archivePath: string, onProgress: (bytes: number) => void, signal?: AbortSignal): Promise<Answer> {
    const headers: Record<string, string> = {
      'content-type': mediaType.archive,
      'content-length': String(entry.bytes),
      [header.sha256]: entry.sha256,
    }
    // A stamp goes out as it was recorded, as far as a header can carry it: whether it is a commit is the gate's to say.
    const commit = headerText(entry.commit)
    if (commit) headers[header.commit] = commit
    const schema = headerText(entry.schema_version)
    if (schema) headers[header.schemaVersion] = schema
    return this.request('PUT', episodePath(entry.id), headers, archive(archivePath, onProgress), signal)
  }

  head(id: string, signal?: AbortSignal): Promise<Answer> {
    return this.request('HEAD', episodePath(id), {}, null, signal)
  }

  gate(commit?: string, signal?: AbortSignal): Promise<Answer> {
    return this.request('GET', gatePath(commit), {}, null, signal)
  }

  putReport(host: string, report: string, signal?: AbortSignal): Promise<Answer> {
    return this.request('PUT', hostHealthPath(host), { 'content-type': mediaType.json }, report, signal)
  }

  /** One request, no redirect followed, no retry. Never throws for what the network or the other side does. */
  async request(
    method: Dispatcher.HttpMethod,
    path: string,
    headers: Record<string, string> = {},
    body: string | AsyncIterable<Uint8Array> | null = null,
    signal?: AbortSignal,
  ): Promise<Answer> {
    try {
      const response = await this.#agent.request({
        origin: this.#origin.origin,
        path: this.#base + path,
        method,
        headers: { ...this.#ownHeaders(), ...headers },
        // undici sends an async iterable as it stands; its type knows Node streams only.
        body: body as string | null,
        ...(signal === undefined ? {} : { signal }),
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

class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
}

async function* archive(path: string, onProgress: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path, { highWaterMark: 1 << 20 })
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      onProgress(chunk.length)
      yield chunk
    }
  } catch (error) {
    throw new ArchiveError(`cannot read the archive: ${messageOf(error)}`, { cause: error })
  } finally {
    stream.destroy()
  }
}

function headerText(value: string | undefined): string | undefined {
  return value !== undefined && /^[\x21-\x7e][\x20-\x7e]{0,255}$/.test(value) ? value : undefined
}
