/** May a body begin, or go on, at this moment? */
import { judgePressure, type Pressure, type PressureState } from './pressure.ts'

/** What a person said with `pause`. */
export interface Pause {
  /** Epoch milliseconds; undefined: until `resume`. */
  readonly until?: number | undefined
  readonly by?: string | undefined
  readonly reason?: string | undefined
  readonly since?: string | undefined
}

export interface Circumstances {
  readonly pause: Pause | undefined
  readonly insideWindow: boolean
  readonly pressure: PressureState
  /** The receiver asked to wait. */
  readonly asked?: boolean
  /** Milliseconds of a steady clock, as in `pressure`. */
  readonly steady: number
  /** A recording is being written: only that can be disturbed. */
  readonly recording: boolean
  /** Epoch milliseconds. */
  readonly now: number
}

export type Manner =
  | { readonly go: 'on'; readonly slowly: boolean }
  | { readonly go: 'wait'; readonly reason: 'paused'; readonly pause: Pause }
  | { readonly go: 'wait'; readonly reason: 'directive' }
  | { readonly go: 'wait'; readonly reason: 'outside-window' }
  | { readonly go: 'wait'; readonly reason: 'pressure'; readonly resource?: keyof Pressure | undefined }

export function judgeManners(at: Circumstances): Manner {
  const pause = activePause(at.pause, at.now)
  if (pause) return { go: 'wait', reason: 'paused', pause }
  if (at.asked === true) return { go: 'wait', reason: 'directive' }
  if (!at.insideWindow) return { go: 'wait', reason: 'outside-window' }
  return judgeDisturbance(at)
}

/** The same for packing, which needs no network: windows and what the receiver asks are not for it. */
export function judgePacking(at: Circumstances): Manner {
  const pause = activePause(at.pause, at.now)
  return pause ? { go: 'wait', reason: 'paused', pause } : judgeDisturbance(at)
}

export function activePause(pause: Pause | undefined, now: number): Pause | undefined {
  return pause && (pause.until === undefined || now < pause.until) ? pause : undefined
}

function judgeDisturbance({ pressure, steady, recording }: Circumstances): Manner {
  const verdict = recording ? judgePressure(pressure, steady) : 'calm'
  return verdict === 'wait'
    ? { go: 'wait', reason: 'pressure', resource: pressure.resource }
    : { go: 'on', slowly: verdict === 'slow' }
}
