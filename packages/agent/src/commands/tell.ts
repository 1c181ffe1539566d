/** What a person must do, in the log: one structured line, then the lines to paste. Nothing here is ever executed. */
import { type Logger, writeRawLines } from '@cis490/shared/node/log.ts'
import { printable } from '@cis490/shared/printable.ts'
import { hour } from '../core/backoff.ts'

export interface Advice {
  readonly code: string
  readonly detail: string
  readonly commit?: string | undefined
  readonly head?: string | undefined
  readonly remediation?: string | undefined
}

export class Teller {
  readonly #log: Logger
  readonly #stream: NodeJS.WriteStream
  readonly #now: () => number
  readonly #told = new Map<string, number>()

  constructor(log: Logger, stream: NodeJS.WriteStream, now: () => number) {
    this.#log = log
    this.#stream = stream
    this.#now = now
  }

  /** Once for each (code, commit, head) and hour, however many entries wait for it. @returns whether it was told */
  tell(advice: Advice): boolean {
    const { code, commit, head, remediation } = advice
    if (!this.#isNews(JSON.stringify([code, commit, head]))) return false
    const detail = printable(advice.detail)
    this.#log.error({ event: 'refused', code, detail, commit, head_commit: head }, 'the receiver refuses; a person must act')
    if (remediation) writeRawLines(this.#stream, remediation)
    return true
  }

  /** Of an answer that delivers nothing though nobody refused: once for each code and hour. @param fields of the first entry that met it */
  alarm(fields: { readonly id: string; readonly code: string; readonly status: number }, detail: string): void {
    if (!this.#isNews(`alarm ${fields.code}`)) return
    this.#log.error({ event: 'alarm', ...fields, detail: printable(detail) }, 'the receiver cannot take it')
  }

  #isNews(key: string): boolean {
    const at = this.#now()
    const age = at - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY)
    // A clock that was set back makes no silence.
    if (age >= 0 && age < hour) return false
    this.#told.set(key, at)
    return true
  }
}
