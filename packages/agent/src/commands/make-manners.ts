/** The manners of this host as the configuration has them. */
import { formatDuration } from '@cis490/shared/duration.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import type { AgentConfig } from '../config.ts'
import { type InForce, inForce, nothingAsked } from '../core/directives.ts'
import { judgeManners, type Manner } from '../core/manners.ts'
import { calm, longestWaitMs, nextPressure } from '../core/pressure.ts'
import { isAllowed, nextOpening, parseWindow, type Window } from '../core/windows.ts'
import { readLastBeat } from '../ship/heartbeat-file.ts'
import { wallClock } from '../ship/local-time.ts'
import { Manners } from '../ship/manners.ts'
import { readPause } from '../ship/pause-file.ts'
import { readPressure } from '../ship/psi.ts'
import type { AgentContext } from './context.ts'

/** A person who says `ship` means now: then only the rate limit holds. */
export type Respect = 'everything' | 'rate'

/** @param recording is a recording being written? @param directives what the receiver asks for */
export function makeManners(
  { config, log, now }: AgentContext,
  respect: Respect,
  recording: () => boolean,
  directives: () => InForce,
): Manners {
  const all = respect === 'everything'
  let waits = false
  return new Manners({
    rate: config.ship.rate_limit,
    windows: all ? windowsOf(config) : [],
    limits: config.ship.max_pressure,
    local: wallClock(),
    readPause: () => (all ? readPause(config.paths.state) : undefined),
    readPressure: () => (all ? readPressure() : undefined),
    directives: () => (all ? directives() : nothingAsked),
    recording,
    now,
    steady: () => performance.now(),
    onChange: (manner) => {
      if (manner.go === 'wait') log.info({ event: 'shipping-waits', ...describeManner(manner, config, now()) }, 'shipping waits')
      else if (waits || manner.slowly) log.info({ event: 'shipping-goes-on', slowly: manner.slowly }, 'shipping goes on')
      waits = manner.go === 'wait'
    },
  })
}

export function windowsOf(config: AgentConfig): Window[] {
  return config.ship.windows.map(parseWindow).filter((window) => typeof window !== 'string')
}

/** How shipping of a daemon would stand now. @param recording is a recording being written? */
export function heldBack(config: AgentConfig, now: number, recording: boolean): MannerText | undefined {
  const { heard_at, directives } = readLastBeat(config.paths.state) ?? {}
  const told = heard_at && directives ? { directives, at: Date.parse(heard_at) } : undefined
  const manner = judgeManners({
    pause: readPause(config.paths.state),
    asked: inForce(told, now, config.heartbeat.every).pause,
    insideWindow: isAllowed(windowsOf(config), now, wallClock()),
    pressure: nextPressure(calm, readPressure(), config.ship.max_pressure, 0),
    ...{ steady: 0, recording, now },
  })
  return manner.go === 'wait' ? describeManner(manner, config, now) : undefined
}

export interface MannerText {
  readonly reason: 'paused' | 'directive' | 'outside-window' | 'pressure'
  /** One line for a person. */
  readonly text: string
  /** RFC 3339; null where nobody knows. */
  readonly until: string | null
  readonly by?: string | undefined
}

/** @param now epoch milliseconds */
export function describeManner(manner: Manner & { go: 'wait' }, config: AgentConfig, now: number): MannerText {
  switch (manner.reason) {
    case 'paused': {
      const { by, since, until, reason } = manner.pause
      const end = until === undefined ? 'until "cis490-agent resume"' : `until ${localText(until)}`
      const who = `${by === undefined ? '' : ` by ${by}`}${since === undefined ? '' : ` since ${localText(Date.parse(since))}`}`
      const text = `paused${who} ${end}${reason === undefined ? '' : `: ${reason}`}`
      return { reason: 'paused', text, until: until === undefined ? null : timestamp(until), by }
    }
    case 'directive':
      return { reason: 'directive', text: 'the receiver asks this host to wait', until: null }
    case 'outside-window': {
      const opening = nextOpening(windowsOf(config), now, wallClock())
      const end = opening === undefined ? 'for more than a week' : `until ${localText(opening)}`
      return {
        reason: 'outside-window',
        text: `outside its window ${end}`,
        until: opening === undefined ? null : timestamp(opening),
      }
    }
    case 'pressure': {
      const text = `this host is busy (${manner.resource ?? 'pressure'}) while it records; waits ${formatDuration(longestWaitMs)} at most, then goes on slowly`
      return { reason: 'pressure', text, until: null }
    }
  }
}

const shown = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: '2-digit',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
})

function localText(ms: number): string {
  return Number.isNaN(ms) ? 'a time nobody knows' : shown.format(ms)
}
