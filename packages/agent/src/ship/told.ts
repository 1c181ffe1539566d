/** Holds what the receiver asked for last. In memory: the first heartbeat after a start asks anew. */
import type { Directives } from '@cis490/shared/heartbeat.ts'
import { type InForce, inForce, type Told } from '../core/directives.ts'

export class ToldDirectives {
  readonly #everyMs: number
  readonly #steady: () => number
  #told: Told | undefined

  /** @param everyMs between two heartbeats @param steady milliseconds of a clock that never goes back */
  constructor(everyMs: number, steady: () => number) {
    this.#everyMs = everyMs
    this.#steady = steady
  }

  take(directives: Directives): void {
    this.#told = { directives, at: this.#steady() }
  }

  get now(): InForce {
    return inForce(this.#told, this.#steady(), this.#everyMs)
  }
}
