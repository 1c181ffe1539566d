/** Carries out the steps of one resumable upload, and keeps in the sidecar where it is: a restart goes on from there. */
import { messageOf } from '@cis490/shared/node/errno.ts'
import { header } from '@cis490/shared/protocol.ts'
import type { Answer } from '../core/answer.ts'
import { noHold } from '../core/backoff.ts'
import type { Step, StepResult } from '../core/resume-plan.ts'
import { isUploadPath, uploadState } from '../core/upload-state.ts'
import type { Entry } from '../outbox/entry.ts'
import { PrefixHash } from '../ship/prefix-hash.ts'
import { appendToUpload, askUpload, cancelUpload, createUpload, finishUpload } from '../ship/upload-client.ts'
import type { Shipping } from './shipping.ts'

/** What one request carries at most: a receiver that dies keeps at least the parts that it has answered. */
const partBytes = 32 * 1024 * 1024

export class UploadSteps {
  #entry: Entry
  #path: string | undefined
  #reported = 0
  readonly #shipping: Shipping
  readonly #signal: AbortSignal
  readonly #archive: string
  readonly #prefix: PrefixHash

  constructor(shipping: Shipping, entry: Entry, signal: AbortSignal) {
    this.#shipping = shipping
    this.#signal = signal
    this.#entry = entry
    // A sidecar that was edited leads nowhere else than to an upload.
    this.#path = entry.upload_url !== undefined && isUploadPath(entry.upload_url) ? entry.upload_url : undefined
    this.#archive = shipping.outbox.archivePath(entry.id)
    this.#prefix = new PrefixHash(this.#archive)
  }

  /** As its sidecar has it. */
  get entry(): Entry {
    return this.#entry
  }

  /** Of the upload, at the receiver; undefined until there is one. */
  get path(): string | undefined {
    return this.#path
  }

  async carryOut(step: Step): Promise<StepResult> {
    const client = this.#shipping.client()
    const path = this.#path
    if (step.do === 'create' || path === undefined) return await this.#create()
    if (step.do === 'restart') {
      const answer = await cancelUpload(client, path, this.#signal)
      return answer.kind === 'fault' ? { answer } : await this.#create()
    }
    if (step.do === 'ask') return await this.#ask(path)
    if (step.do === 'finish') return { answer: await finishUpload(client, path, step.offset, this.#signal) }
    return { answer: await this.#append(path, step) }
  }

  /** Makes durable what a restart needs to go on. */
  async remember(step: Step): Promise<void> {
    const offset = 'offset' in step ? step.offset : undefined
    if (offset !== undefined) this.#progress(offset)
    const { upload_url: _, upload_offset: __, ...plain } = this.#entry
    const known = step.do === 'ask' ? this.#entry.upload_offset : offset
    const next = {
      ...plain,
      ...(this.#path === undefined ? {} : { upload_url: this.#path }),
      ...(known === undefined || known === 0 ? {} : { upload_offset: known }),
    }
    if (next.upload_url === this.#entry.upload_url && next.upload_offset === this.#entry.upload_offset) return
    await this.#shipping.outbox.update(next)
    this.#entry = next
  }

  /** There is no such upload. */
  async forget(): Promise<void> {
    this.#path = undefined
    this.#progress(0)
    await this.remember({ do: 'create' })
  }

  async #create(): Promise<StepResult> {
    this.#path = undefined
    const answer = await createUpload(this.#shipping.client(), this.#entry, this.#signal)
    if (answer.kind === 'fault' || answer.status < 200 || answer.status > 299) return { answer }
    this.#path = this.#shipping.client().uploadPath(answer.headers[header.location])
    this.#reached()
    return { answer, located: this.#path !== undefined }
  }

  async #ask(path: string): Promise<StepResult> {
    const answer = await askUpload(this.#shipping.client(), path, this.#signal)
    const state = answer.kind === 'answer' && answer.status < 300 ? uploadState(answer.headers) : undefined
    if (!state) return { answer }
    this.#reached()
    if (state.prefixSha256 === undefined || state.offset > this.#entry.bytes) return { answer }
    try {
      return { answer, prefixFits: (await this.#prefix.upTo(state.offset, this.#signal)) === state.prefixSha256 }
    } catch (error) {
      if (this.#signal.aborted) return { answer: { kind: 'fault', code: 'aborted', message: 'ended while it read the archive' } }
      return { answer: { kind: 'fault', code: 'archive-unreadable', message: `cannot read the archive: ${messageOf(error)}` } }
    }
  }

  async #append(path: string, { offset, most }: Step & { readonly do: 'append' }): Promise<Answer> {
    const { pace } = this.#shipping
    await pace.whenAllowed(this.#signal)
    let position = offset
    const part = {
      archivePath: this.#archive,
      bytes: this.#entry.bytes,
      from: offset,
      to: Math.min(this.#entry.bytes, offset + Math.min(partBytes, most ?? partBytes)),
      onProgress: (bytes: number) => {
        position += bytes
        this.#progress(position)
      },
    }
    return await appendToUpload(this.#shipping.client(), path, part, this.#signal)
  }

  /** The receiver is there: whatever waits for it may come. */
  #reached(): void {
    this.#shipping.memory.hold = noHold
    this.#shipping.memory.reached?.()
  }

  /** What was sent and did not arrive is taken back. */
  #progress(position: number): void {
    this.#shipping.onProgress(this.#entry, position - this.#reported)
    this.#reported = position
  }
}
