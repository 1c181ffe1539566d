/** One line that says how far something is, cut to what the terminal holds. */
import { formatDuration } from './duration.ts'
import { formatSize } from './size.ts'

export type ProgressUnit = 'bytes' | 'count'

export interface ProgressState {
  readonly label: string
  readonly unit: ProgressUnit
  readonly done: number
  readonly total: number
  /** Units a second; undefined until there is something to measure. */
  readonly rate: number | undefined
}

const widestBar = 40
const narrowestBar = 8

/** Whole percent, never 100 before the end. An empty total is finished. */
export function percentOf(done: number, total: number): number {
  if (done >= total) return 100
  return Math.max(0, Math.min(99, Math.floor((done / total) * 100)))
}

/** `done/total` in the unit: "1.5 MiB/3.0 MiB" or "3/12". */
export function amountOf(state: ProgressState): string {
  const show = (value: number) => (state.unit === 'bytes' ? formatSize(value) : String(value))
  return `${show(Math.min(state.done, state.total))}/${show(state.total)}`
}

/** @returns at most `columns` characters: the time left goes first when they do not suffice, then the rate, the bar, the amount, the label's end */
export function progressLine(state: ProgressState, columns: number): string {
  const percent = `${String(percentOf(state.done, state.total)).padStart(3)} %`
  const details = [amountOf(state), rateOf(state), timeLeft(state)].filter((part) => part !== '')
  for (let kept = details.length; kept >= 0; kept--) {
    const text = [percent, ...details.slice(0, kept)].join('  ')
    const room = columns - state.label.length - text.length - 4
    if (room >= narrowestBar) return `${state.label}  ${bar(state, Math.min(widestBar, room))}  ${text}`
    if (kept <= 1 && columns >= state.label.length + text.length + 2) return `${state.label}  ${text}`
  }
  const room = columns - percent.length - 1
  return room > 0 ? `${state.label.slice(0, room)} ${percent}` : percent.slice(0, Math.max(0, columns))
}

function bar(state: ProgressState, width: number): string {
  const full = Math.floor((percentOf(state.done, state.total) / 100) * width)
  return '█'.repeat(full) + '░'.repeat(width - full)
}

function rateOf(state: ProgressState): string {
  if (state.rate === undefined || state.done >= state.total) return ''
  return state.unit === 'bytes' ? `${formatSize(Math.round(state.rate))}/s` : `${state.rate.toFixed(1)}/s`
}

function timeLeft(state: ProgressState): string {
  if (!state.rate || state.done >= state.total) return ''
  return `${formatDuration(Math.max(1000, ((state.total - state.done) / state.rate) * 1000))} left`
}
