/** A progress bar on a terminal; at most five plain lines anywhere else, so that a log file stays readable. */
import { styleText } from 'node:util'
import { printable } from '../printable.ts'
import { amountOf, type ProgressUnit, percentOf, progressLine } from '../progress-line.ts'

/** The part of a stream that is needed; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface ProgressOptions {
  readonly label: string
  readonly total: number
  readonly stream: ProgressStream
  readonly unit?: ProgressUnit
  /** Milliseconds of any steady clock. */
  readonly now?: () => number
  readonly env?: NodeJS.ProcessEnv
}

export interface Progress {
  /** @param done how much of the total is there, not how much was added */
  update(done: number): void
  /** Takes the bar away and leaves `text` in its place. */
  done(text?: string): void
}

const redrawMs = 100
const rateWindowMs = 5000
const clearLine = '\r\u001b[2K'

/** The first `update` is where the rate is measured from: a resumed transfer starts in the middle. */
export function makeProgress(options: ProgressOptions): Progress {
  const { stream, env = process.env, now = () => performance.now() } = options
  const base = { label: printable(options.label), unit: options.unit ?? 'bytes', total: options.total }
  return stream.isTTY === true && env['TERM'] !== 'dumb' ? onTerminal() : asLines()

  function onTerminal(): Progress {
    const rate = makeRate()
    let drawnAt = Number.NEGATIVE_INFINITY
    return {
      update(done) {
        const at = now()
        const state = { ...base, done, rate: rate(done, at) }
        if (at - drawnAt < redrawMs && done < base.total) return
        drawnAt = at
        // One column stays free: a full line wraps on some terminals and cannot be cleared any more.
        stream.write(`${clearLine}${paint(progressLine(state, (stream.columns || 80) - 1))}`)
      },
      done: (text) => void stream.write(`${clearLine}${text === undefined ? '' : `${text}\n`}`),
    }
  }

  function asLines(): Progress {
    let told = -1
    return {
      update(done) {
        const quarter = Math.floor(percentOf(done, base.total) / 25)
        if (quarter <= told) return
        told = quarter
        stream.write(`${base.label}  ${String(quarter * 25).padStart(3)} %  ${amountOf({ ...base, done, rate: undefined })}\n`)
      },
      done: (text) => void (text === undefined || stream.write(`${text}\n`)),
    }
  }

  function paint(line: string): string {
    return env['NO_COLOR'] ? line : line.replace(/█+/, (full) => styleText('green', full, { validateStream: false }))
  }
}

/** Units a second over the last few seconds. */
function makeRate(): (done: number, at: number) => number | undefined {
  let samples: { done: number; at: number }[] = []
  return (done, at) => {
    const last = samples.at(-1)
    if (!last || at - last.at >= redrawMs) samples.push({ done, at })
    samples = samples.filter((sample, i) => i === samples.length - 1 || at - sample.at <= rateWindowMs)
    const first = samples[0] as { done: number; at: number }
    return at > first.at && done >= first.done ? ((done - first.done) / (at - first.at)) * 1000 : undefined
  }
}
