/** A bench: shapes of load, one after the other, each compared in interleaved rounds. */
import type { BenchOptions } from '../options.ts'
import { FullMemory } from './full-memory.ts'
import type { Goal } from './goal.ts'
import { describeMachine } from './machine.ts'
import { Place } from './place.ts'
import type { BenchReport } from './report.ts'
import { type LeftOut, type RunOptions, runSeries, type Series, type SeriesResult } from './series.ts'

export interface Bench {
  readonly summary: string
  /** Bytes that have to be free on the disk of the temporary folder. */
  need(options: BenchOptions): number
  /** Each series is measured before the next is asked for: what it needs may be started before and stopped after its `yield`. */
  series(options: BenchOptions, place: Place): AsyncGenerator<Series, void, undefined>
}

export async function runBench(
  name: string,
  bench: Bench,
  options: BenchOptions,
  onStep?: RunOptions['onStep'],
): Promise<BenchReport> {
  await using place = await Place.make(bench.need(options))
  const series: SeriesResult[] = []
  using memory = new FullMemory(place.dir)
  const how = {
    rounds: options.rounds,
    judged: !options.quick,
    beforeRun: async () => void (options.quick || (await memory.fill())),
    ...(onStep && { onStep }),
  }
  for await (const one of bench.series(options, place)) series.push(await runSeries(one, how))
  return { benchmark: name, machine: describeMachine(), rounds: options.rounds, quick: options.quick, series }
}

/** A competitor that may not be here. */
export interface Candidate {
  readonly name: string
  /** @returns why it cannot take part and how to get it; undefined when it can */
  missing(): string | undefined
}

/** Who takes part: the ones that were asked for (all when none were), less what is not installed. */
export function choose<T extends Candidate>(
  all: readonly T[],
  asked: readonly string[] | undefined,
): { take: T[]; left_out: LeftOut[] } {
  const take: T[] = []
  const left_out: LeftOut[] = []
  for (const one of all) {
    if (asked && !asked.includes(one.name)) continue
    const reason = one.missing()
    if (reason === undefined) take.push(one)
    else left_out.push({ name: one.name, reason })
  }
  return { take, left_out }
}

/** The goals that this run is about: not those against a competitor whom nobody asked for, or whom a quick run does without. */
export function goalsAsked(goals: readonly Goal[], there: ReadonlySet<string>, { quick, peers }: BenchOptions): Goal[] {
  return goals.filter(({ peer }) => peer === undefined || there.has(peer) || (!quick && (peers?.includes(peer) ?? true)))
}
