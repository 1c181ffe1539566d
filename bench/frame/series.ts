/** Contenders side by side, in interleaved rounds: a machine that is loud or slow for a minute is so for all of them. */
import { type Goal, type GoalResult, judgeGoal, type Round } from './goal.ts'
import { median, rotate } from './median.ts'
import { type Noise, noiseMeter } from './noise.ts'

export interface Column {
  readonly figure: string
  readonly label: string
  readonly unit: 's' | 'ms' | 'bytes' | 'count' | 'ratio'
}

export interface Contender {
  readonly name: string
  /** Measures once. @returns figures by name; what was not measured is absent. May throw: that round then lacks it */
  run(round: number): Promise<Readonly<Record<string, number>>>
}

export interface LeftOut {
  readonly name: string
  /** Why, and the command that would bring it in. */
  readonly reason: string
}

/** One shape of load: who is compared in what. */
export interface Series {
  readonly name: string
  readonly contenders: readonly Contender[]
  readonly left_out?: readonly LeftOut[]
  readonly columns: readonly Column[]
  readonly goals: readonly Goal[]
  /** Run before each round, outside of what is measured. */
  beforeRound?(round: number): Promise<void>
}

export interface SeriesResult {
  readonly name: string
  readonly columns: readonly Column[]
  readonly rounds: readonly Round[]
  readonly medians: Round
  readonly noise: readonly (Noise & { readonly round: number; readonly contender: string })[]
  readonly goals: readonly GoalResult[]
  readonly left_out: readonly LeftOut[]
}

export interface RunOptions {
  readonly rounds: number
  /** Whether the run is long enough to hold it against the goals. */
  readonly judged: boolean
  /** Run before each contender, outside of what is measured. */
  readonly beforeRun?: () => Promise<void>
  onStep?(done: number, total: number, what: string): void
}

/** A contender that fails is told in `left_out`; the others go on. */
export async function runSeries(series: Series, options: RunOptions): Promise<SeriesResult> {
  const rounds: Record<string, Readonly<Record<string, number>>>[] = []
  const noise: (Noise & { round: number; contender: string })[] = []
  const failed = new Map<string, string>()
  const total = options.rounds * series.contenders.length
  for (let k = 0; k < options.rounds; k++) {
    await options.beforeRun?.()
    // What it reads stays in memory over the next fill: it is newer than what was there before, or read again.
    await series.beforeRound?.(k)
    const round: Record<string, Readonly<Record<string, number>>> = {}
    for (const [step, contender] of rotate(series.contenders, k).entries()) {
      options.onStep?.(k * series.contenders.length + step, total, contender.name)
      if (step > 0) await options.beforeRun?.()
      const stop = noiseMeter()
      try {
        round[contender.name] = await contender.run(k)
      } catch (error) {
        failed.set(contender.name, `failed: ${error instanceof Error ? error.message : String(error)}`)
      }
      noise.push({ round: k + 1, contender: contender.name, ...stop() })
    }
    rounds.push(round)
  }
  options.onStep?.(total, total, '')
  return {
    name: series.name,
    columns: series.columns,
    rounds,
    medians: Object.fromEntries(series.contenders.map(({ name }) => [name, mediansOf(name, rounds)])),
    noise,
    goals: series.goals.map((goal) => failedOurselves(judgeGoal(goal, rounds, options.judged), failed)),
    left_out: [...(series.left_out ?? []), ...[...failed].map(([name, reason]) => ({ name, reason }))],
  }
}

/** A round in which we failed is none that we may leave out. */
function failedOurselves(result: GoalResult, failed: ReadonlyMap<string, string>): GoalResult {
  return failed.has(result.ours) && result.verdict === 'met' ? { ...result, verdict: 'missed' } : result
}

function mediansOf(name: string, rounds: readonly Round[]): Record<string, number> {
  const figures = new Set(rounds.flatMap((round) => Object.keys(round[name] ?? {})))
  return Object.fromEntries(
    [...figures].map((figure) => [figure, median(rounds.flatMap((round) => round[name]?.[figure] ?? []))]),
  )
}
