/** Sleeps until a time, a bell or the end, whichever is first. A bell that rings while nobody sleeps is not lost. */
export class Wake {
  readonly #end: AbortSignal
  #rung = false
  #stir: (() => void) | undefined

  constructor(end: AbortSignal) {
    this.#end = end
  }

  ring(): void {
    this.#rung = true
    this.#stir?.()
  }

  async sleep(ms: number): Promise<void> {
    if (!this.#rung && !this.#end.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const stir = () => resolve()
      this.#stir = stir
      const timer = setTimeout(stir, Math.min(Math.max(ms, 0), 2 ** 31 - 1))
      this.#end.addEventListener('abort', stir)
      await promise
      clearTimeout(timer)
      this.#end.removeEventListener('abort', stir)
      this.#stir = undefined
    }
    this.#rung = false
  }
}
