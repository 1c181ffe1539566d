/** A resumable upload of a raw client: it outlives connections and receivers, and checks what it is told about itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import { creationHeaders, partHeaders } from '../../test/support/uploads.ts'
import { requestHead, sha256, type Wire, type WireAnswer } from '../../test/support/wire.ts'
import { expectedCodes } from './check.ts'
import { exchange, read } from './exchange.ts'
import { type History, keyOf, type Put } from './history.ts'
import type { Wish, Workload } from './workload.ts'

export interface UploadOptions {
  readonly name: string
  readonly host: string
  readonly history: History
  readonly workload: Workload
}

/** An upload is sent in so many parts when nothing comes between. */
const parts = 3
const laterMs = 20

/** Nothing is wrong with the upload: its line or its receiver is busy. */
const fairHeads: ReadonlySet<number> = new Set([409, 429, 503])
const fairParts: ReadonlySet<string> = new Set([...expectedCodes, 'mismatching-upload-offset', 'upload-gone'])

export class ResumedUpload {
  readonly #wish: Wish
  readonly #history: History
  readonly #workload: Workload
  readonly #record: Put
  #path: string | undefined
  /** Where to go on; unknown after every fault. */
  #offset: number | undefined
  /** The most that was ever told of this path: durable, and never less. */
  #told = 0
  /** Its last byte was sent: the answer may have been given, and answers are kept for so long only. */
  #lastSent = false

  constructor(wish: Wish, { name, host, history, workload }: UploadOptions) {
    const { id, kind, sha256, commit } = wish
    this.#wish = wish
    this.#history = history
    this.#workload = workload
    this.#record = history.begin({ client: name, host, id, kind, sha256, commit })
  }

  /** One more request. @returns true when the upload has its answer */
  async goOn(wire: Wire): Promise<boolean> {
    if (this.#path === undefined) return await this.#create(wire)
    if (this.#offset === undefined) return await this.#ask(wire, this.#path)
    return await this.#append(wire, this.#path, this.#offset)
  }

  async #create(wire: Wire): Promise<boolean> {
    const { id, body, commit } = this.#wish
    const headers = { ...creationHeaders(body, commit), 'Content-Length': 0 }
    const answer = await exchange(wire, requestHead('PUT', `/v1/episodes/${id}.tar.zst`, headers), 'PUT')
    if (!answer) return false
    const path = answer.headers['location']
    if (answer.status !== 201 || !path?.startsWith('/v1/uploads/')) return this.#end(answer)
    this.#path = path
    this.#told = 0
    this.#lastSent = false
    this.#hear(answer)
    return false
  }

  async #ask(wire: Wire, path: string): Promise<boolean> {
    const answer = await exchange(wire, requestHead('HEAD', path), 'HEAD')
    if (!answer) return false
    if (answer.status === 404 || answer.status === 410) {
      this.#history.uploads.gone += 1
      if (!this.#lastSent) this.#broken(`the upload is known no more: ${answer.status}`)
      this.#path = undefined
    } else if (answer.status === 204) {
      this.#history.uploads.resumed += 1
      this.#hear(answer)
    } else {
      if (!fairHeads.has(answer.status)) this.#broken(`HEAD was answered ${answer.status}`)
      await sleep(laterMs)
    }
    return false
  }

  async #append(wire: Wire, path: string, offset: number): Promise<boolean> {
    const { body } = this.#wish
    const end = Math.min(body.length, offset + Math.ceil(body.length / parts))
    const part = body.subarray(offset, end)
    const head = requestHead('PATCH', path, { ...partHeaders(offset, end === body.length), 'Content-Length': part.length })
    this.#offset = undefined
    this.#lastSent ||= end === body.length
    this.#history.uploads.parts += 1
    const answer = await exchange(wire, Buffer.concat([Buffer.from(head, 'latin1'), part]), 'PATCH')
    if (!answer) return false
    if (answer.status === 204) this.#hear(answer)
    else if (answer.headers['upload-complete'] === '?1') return this.#end(answer)
    else {
      const { status, code = '' } = read(answer)
      if (!fairParts.has(code)) this.#broken(`a part was answered ${status} ${code}`)
      await sleep(laterMs)
    }
    return false
  }

  #broken(detail: string): void {
    this.#history.broken.push({ at: `${keyOf(this.#record)} ${this.#path}`, detail })
  }

  /** An offset that was told is durable: it never goes down, and what lies before it are our bytes. */
  #hear({ headers }: WireAnswer): void {
    const offset = Number(headers['upload-offset'])
    const prefix = headers['x-cis490-prefix-sha256']
    if (!(offset >= this.#told)) this.#broken(`offset ${offset} after ${this.#told} was told`)
    if (prefix !== undefined && prefix !== sha256(this.#wish.body.subarray(0, offset)))
      this.#broken(`the ${offset} bytes there are not those that were sent`)
    this.#told = offset
    this.#offset = offset
  }

  #end(answer: WireAnswer): true {
    const how = read(answer)
    this.#history.end(this.#record, { ...how, ...(this.#path !== undefined && { upload: this.#path }) })
    this.#workload.learn(this.#wish, how.outcome)
    return true
  }
}
