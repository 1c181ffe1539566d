/** Does this host have a hard time? Then a recording comes first: shipping and packing wait, but not for ever. */

/** Pressure stall information: the share of time, in percent over 10 s, in which something waited for the resource. */
export interface Pressure {
  readonly io: number
  readonly cpu: number
  readonly memory: number
}

export interface PressureState {
  /** Since when it has been too high, milliseconds of a steady clock; undefined: it is not. */
  readonly since: number | undefined
  /** The worst resource. */
  readonly resource?: keyof Pressure
}

export const calm: PressureState = { since: undefined }

/** The longest that anything waits for it; then it goes on slowly. */
export const longestWaitMs = 10 * 60_000

/** Ends well below where it begins, so that it does not flutter. @param limits percent; 0: not looked at. @param pressure undefined: this kernel does not tell */
export function nextPressure(state: PressureState, pressure: Pressure | undefined, limits: Pressure, now: number): PressureState {
  if (pressure === undefined) return calm
  const share = state.since === undefined ? 1 : 0.75
  const worst = (['io', 'cpu', 'memory'] as const)
    .filter((resource) => limits[resource] > 0 && pressure[resource] > limits[resource] * share)
    .toSorted((a, b) => pressure[b] / limits[b] - pressure[a] / limits[a])[0]
  return worst === undefined ? calm : { since: state.since ?? now, resource: worst }
}

export type PressureVerdict = 'calm' | 'wait' | 'slow'

export function judgePressure({ since }: PressureState, now: number): PressureVerdict {
  if (since === undefined) return 'calm'
  return now - since < longestWaitMs ? 'wait' : 'slow'
}

/** `some avg10=12.34 avg60=…` of /proc/pressure. @returns percent, undefined where the text is not that */
export function someAvg10(text: string): number | undefined {
  const found = /^some avg10=(\d+(?:\.\d+)?)/m.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
