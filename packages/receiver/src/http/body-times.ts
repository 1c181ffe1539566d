/** How long a place is taken by one body, as far as one can tell. */

/** Weight of the last one. */
const share = 0.1
/** Milliseconds, before the first. */
const guess = 100

export class BodyTimes {
  readonly #clock: () => number
  #running = 0
  #startSum = 0
  #usual = guess

  /** @param clock milliseconds of a clock that never goes back */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  /** @returns when it began, to be told at its end */
  begin(): number {
    const began = this.#clock()
    this.#running += 1
    this.#startSum += began
    return began
  }

  end(began: number): void {
    this.#running -= 1
    this.#startSum -= began
    this.#usual += share * (this.#clock() - began - this.#usual)
  }

  /** Milliseconds: what was usual of late, or how long those that run have run, if that is more. */
  get each(): number {
    const running = this.#running === 0 ? 0 : this.#clock() - this.#startSum / this.#running
    return Math.max(this.#usual, running)
  }
}
