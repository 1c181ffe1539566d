/** How many certificates one host may take. It needs two in a lifetime; each is remembered until a month after its end. Time comes in. */
import { Attempts } from './attempts.ts'

const minute = 60_000
const day = 24 * 60 * minute

export type GrantedBy = 'token' | 'renewal'

export class GrantLimit {
  readonly #short = new Attempts({ most: 10, windowMs: minute })
  /** Of renewals: ten a minute without end would fill memory and disk. Not of joins, or a thief could keep out the host whose key he had. */
  readonly #long: Attempts

  /** @param lifetime of the certificates, ms */
  constructor(lifetime: number) {
    this.#long = new Attempts({ most: 100, windowMs: Math.min(day, Math.max(minute, 10 * lifetime)) })
  }

  /** @returns ms until the next may be given; 0: now */
  wait(by: GrantedBy, host: string, now: number): number {
    return Math.max(this.#short.wait(host, now), by === 'renewal' ? this.#long.wait(host, now) : 0)
  }

  note(by: GrantedBy, host: string, now: number): void {
    this.#short.note(host, now)
    if (by === 'renewal') this.#long.note(host, now)
  }
}
