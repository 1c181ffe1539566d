/** One after the other, and not too many in line: for work that reads whole files. */
import { Refusal } from '@cis490/shared/problems.ts'

export class OneAtATime {
  readonly #most: number
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @param most how many may be in line, the one at work included */
  constructor(most: number) {
    this.#most = most
  }

  /** @throws Refusal overloaded when the line is full */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#most)
      throw new Refusal('overloaded', 'too many explanations are being looked up at once', { retry_after_s: 5 })
    this.#waiting += 1
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      this.#waiting -= 1
    }
  }
}
