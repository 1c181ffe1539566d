/** A small receiver in memory that speaks resumable uploads and keeps every byte that it reads. What it does wrong, the test says. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { refuse } from './ship-bench.ts'

export interface Held {
  readonly id: string
  readonly sha256: string
  readonly length: number
  bytes: Buffer
  /** The receipt, once it is complete. */
  receipt?: string
}

/** @returns true when it has answered in the peer's place */
export type Interference = (request: IncomingMessage, response: ServerResponse) => boolean

export class UploadPeer {
  readonly uploads = new Map<string, Held>()
  /** Receipts by id. */
  readonly stored = new Map<string, string>()
  /** Method, kind of path and Upload-Complete of every request. */
  readonly requests: string[] = []
  readonly headers: IncomingMessage['headers'][] = []
  /** Bytes of bodies, as they came. */
  received = 0
  interfere: Interference = () => false
  /** The next bodies are cut after so many bytes of theirs, one each; 0 stands for one that is not. */
  cuts: number[] = []
  /** Added to every answer about an upload. */
  says: Record<string, string> = {}
  url = ''

  static async listen(): Promise<UploadPeer> {
    const peer = new UploadPeer()
    const server = createServer((request, response) => peer.#serve(request, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    peer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return peer
  }

  #serve(request: IncomingMessage, response: ServerResponse): unknown {
    const { method = '', url = '', headers } = request
    const complete = headers['upload-complete'] ?? ''
    const kind = url.startsWith('/v1/uploads/') ? 'upload' : 'episode'
    this.requests.push(`${method} ${kind} ${complete}`.trim())
    this.headers.push(headers)
    request.on('error', () => undefined)
    if (this.interfere(request, response)) return request.resume()
    const upload = this.uploads.get(url)
    if (kind === 'upload' && !upload) return refuse(response, 'upload-gone', 'no such upload')
    if (upload && method === 'HEAD') return this.#state(response, 204, upload)
    if (upload && method === 'DELETE') {
      this.uploads.delete(url)
      return response.writeHead(204).end()
    }
    if (upload) return this.#append(request, response, upload)
    const id = /episodes\/(.+)\.tar\.zst/.exec(url)?.[1] ?? ''
    if (method === 'PUT' && complete === '?0') return this.#create(request, response, id)
    if (method === 'PUT')
      return this.#take(request, response, {
        id,
        sha256: String(headers['x-content-sha256']),
        length: Number(headers['content-length']),
        bytes: Buffer.alloc(0),
      })
    response.writeHead(404).end()
  }

  #create({ headers }: IncomingMessage, response: ServerResponse, id: string): unknown {
    const receipt = this.stored.get(id)
    if (receipt) return response.writeHead(200, { 'upload-complete': '?1' }).end(receipt)
    const open = [...this.uploads].find(([, one]) => one.id === id)
    const path = open?.[0] ?? `/v1/uploads/${randomBytes(16).toString('base64url')}`
    const upload = open?.[1] ?? {
      ...{ id, sha256: String(headers['x-content-sha256']), length: Number(headers['upload-length']) },
      bytes: Buffer.alloc(0),
    }
    this.uploads.set(path, upload)
    this.#state(response, 201, upload, { location: path })
  }

  #state(response: ServerResponse, status: number, upload: Held, more: Record<string, string> = {}): void {
    response
      .writeHead(status, {
        'upload-offset': String(upload.bytes.length),
        'upload-complete': upload.receipt ? '?1' : '?0',
        'upload-length': String(upload.length),
        'x-cis490-prefix-sha256': createHash('sha256').update(upload.bytes).digest('hex'),
        ...this.says,
        ...more,
      })
      .end()
  }

  #append(request: IncomingMessage, response: ServerResponse, upload: Held): unknown {
    if (upload.receipt)
      return response.writeHead(200, { 'upload-complete': '?1', 'upload-offset': String(upload.length) }).end(upload.receipt)
    const offset = Number(request.headers['upload-offset'])
    if (offset === upload.bytes.length) return this.#take(request, response, upload)
    request.resume()
    refuse(response, 'mismatching-upload-offset', 'elsewhere', {
      'expected-offset': upload.bytes.length,
      'provided-offset': offset,
    })
  }

  #take(request: IncomingMessage, response: ServerResponse, upload: Held): void {
    const cut = this.cuts.shift() ?? 0
    let came = 0
    request.on('data', (chunk: Buffer) => {
      const kept = cut === 0 ? chunk : chunk.subarray(0, Math.max(0, cut - came))
      came += chunk.length
      this.received += kept.length
      upload.bytes = Buffer.concat([upload.bytes, kept])
      if (cut > 0 && came >= cut) request.socket.destroy()
    })
    request.on('end', () => {
      if (request.headers['upload-complete'] === '?0') return this.#state(response, 204, upload)
      if (createHash('sha256').update(upload.bytes).digest('hex') !== upload.sha256)
        return refuse(response, 'sha256-mismatch', 'other bytes')
      const { id, sha256, length } = upload
      upload.receipt = JSON.stringify({ id, host: 'lab-07', sha256, bytes: length, received_at: '2026-11-21T12:00:00.000Z' })
      this.stored.set(id, upload.receipt)
      response.writeHead(201, { 'upload-complete': '?1', 'upload-offset': String(length) }).end(upload.receipt)
    })
  }
}
