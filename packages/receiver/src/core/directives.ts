/** What the operator asks of a host. Pure. */
import type { Directives } from '@cis490/shared/heartbeat.ts'
import type { EpisodeId } from '@cis490/shared/ids.ts'

export interface Directive {
  /** `*`: every host. */
  readonly host: string
  readonly pause?: boolean | undefined
  /** Bytes a second. */
  readonly rate?: number | undefined
  readonly want?: readonly EpisodeId[] | undefined
  readonly hold_update?: boolean | undefined
  readonly reason?: string | undefined
  /** Epoch milliseconds; it holds up to then. */
  readonly until?: number | undefined
}

/**
 * All that holds for this host, in one: any pause pauses, the lowest rate counts, the wanted are wanted in the order of the file.
 * @param now epoch milliseconds. @returns undefined where nothing is asked
 */
export function directivesFor(all: readonly Directive[], host: string, now: number): Directives | undefined {
  const mine = inForce(all, host, now)
  const rates = mine.flatMap(({ rate }) => (rate === undefined ? [] : [rate]))
  const want = [...new Set(mine.flatMap((one) => one.want ?? []))]
  const asked: Directives = {
    ...(mine.some(({ pause }) => pause) && { pause: true as const }),
    ...(rates.length > 0 && { rate: Math.min(...rates) }),
    ...(want.length > 0 && { want: want.slice(0, 1000) }),
  }
  return Object.keys(asked).length > 0 ? asked : undefined
}

/** Whether an update of this host is held back, and why. @param now epoch milliseconds */
export function holdFor(
  all: readonly Directive[],
  host: string,
  now: number,
): { readonly reason?: string | undefined } | undefined {
  const hold = inForce(all, host, now).find((one) => one.hold_update)
  return hold && { reason: hold.reason }
}

function inForce(all: readonly Directive[], host: string, now: number): readonly Directive[] {
  return all.filter((one) => (one.host === '*' || one.host === host) && (one.until === undefined || now < one.until))
}
