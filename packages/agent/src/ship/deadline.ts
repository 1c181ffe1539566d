/** A time by which an answer has ended. It runs from the end of the body: how long a body takes is the receiver's to judge. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController()
  readonly #ms: number
  #timer: NodeJS.Timeout | undefined
  #over = false

  constructor(ms: number) {
    this.#ms = ms
    this.#start()
  }

  /** Aborts with a fault that reads as a timeout of the answer. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The same body; the time begins anew when it has ended. */
  async *after<T>(body: AsyncIterable<T>): AsyncGenerator<T> {
    clearTimeout(this.#timer)
    try {
      yield* body
    } finally {
      this.#start()
    }
  }

  #start(): void {
    clearTimeout(this.#timer)
    if (this.#over) return
    const late = Object.assign(new Error('the answer did not end in time'), { code: 'UND_ERR_BODY_TIMEOUT' })
    this.#timer = setTimeout(() => this.#controller.abort(late), this.#ms)
  }

  [Symbol.dispose](): void {
    this.#over = true
    clearTimeout(this.#timer)
  }
}
