/** The whole of a run as one document, and the exit code that follows from it. Pure. */
import { exit } from '@cis490/shared/node/cli.ts'
import type { GoalResult } from './goal.ts'
import type { Machine } from './machine.ts'
import type { SeriesResult } from './series.ts'

export interface BenchReport {
  readonly benchmark: string
  readonly machine: Machine
  readonly rounds: number
  readonly quick: boolean
  readonly series: readonly SeriesResult[]
}

export function goalsOf(reports: readonly BenchReport[]): GoalResult[] {
  return reports.flatMap(({ series }) => series.flatMap(({ goals }) => goals))
}

/** 1 when a goal is missed, 3 when one could not be measured, else 0. */
export function exitCodeOf(reports: readonly BenchReport[]): number {
  const verdicts = goalsOf(reports).map(({ verdict }) => verdict)
  if (verdicts.includes('missed')) return exit.findings
  return verdicts.includes('not-measured') ? exit.undetermined : exit.clean
}
