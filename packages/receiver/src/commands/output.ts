/** Standard output for long results: waits for a slow reader, and ends quietly when the reader has gone (`| head`). */
import { once } from 'node:events'

export class Output {
  #gone = false

  constructor() {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      this.#gone = true
    })
  }

  /** The reader has enough: nothing more needs to be found. */
  get gone(): boolean {
    return this.#gone
  }

  async write(text: string): Promise<void> {
    if (this.#gone || text === '' || process.stdout.write(text)) return
    await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => undefined)
  }
}
