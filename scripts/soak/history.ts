/** What the clients of a soak saw: a line for each request, with the outcome words of Jepsen. */
import type { Sha256 } from '@cis490/shared/ids.ts'

export type PutKind = 'new' | 'again' | 'replay' | 'conflict' | 'hot' | 'wrong-hash' | 'stale-stamp' | 'resumable'

/** ok: acknowledged. fail: surely not stored by this request. info: nobody knows. */
export type Outcome = 'ok' | 'fail' | 'info'

export interface Put {
  readonly client: string
  readonly host: string
  readonly id: string
  readonly kind: PutKind
  /** What the client said it sends. */
  readonly sha256: Sha256 | string
  readonly commit: string
  /** Milliseconds since the soak began. */
  readonly began: number
  ended: number
  outcome: Outcome
  status?: number
  code?: string
  /** The receipt's text, of an acknowledged one. */
  receipt?: string
  /** Of a conflict: what the receiver says that it holds. */
  stored?: string
  /** Of a resumable one: the path of the upload that was answered. Whoever asks it again gets the same answer. */
  upload?: string
}

export interface Read {
  readonly client: string
  readonly host: string
  readonly id: string
  readonly began: number
  readonly status: number
  /** From the ETag. */
  readonly sha256: string | undefined
}

export class History {
  readonly puts: Put[] = []
  readonly reads: Read[] = []
  /** Promises about uploads under way that were broken, a line each. */
  readonly broken: { readonly at: string; readonly detail: string }[] = []
  /** Of resumable uploads: parts sent, questions where to go on, and uploads that the receiver knew no more. */
  readonly uploads = { parts: 0, resumed: 0, gone: 0 }
  readonly counts: Record<Outcome, number> = { ok: 0, fail: 0, info: 0 }
  readonly #began = performance.now()

  now(): number {
    return Math.round(performance.now() - this.#began)
  }

  /** Until `end` nobody knows how it went, and if the soak ends before, so it stays. */
  begin(put: Omit<Put, 'began' | 'ended' | 'outcome'>): Put {
    const begun: Put = { ...put, began: this.now(), ended: Number.POSITIVE_INFINITY, outcome: 'info' }
    this.puts.push(begun)
    return begun
  }

  end(put: Put, how: Pick<Put, 'outcome' | 'status' | 'code' | 'receipt' | 'stored' | 'upload'>): void {
    Object.assign(put, how, { ended: this.now() })
    this.counts[how.outcome] += 1
  }
}

export function keyOf(of: { readonly host: string; readonly id: string }): string {
  return `${of.host}/${of.id}`
}
