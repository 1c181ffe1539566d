/** What is promised, as data: a figure of ours against that of a peer, and the limit. Pure. */
import { median } from './median.ts'

/** How the compared number comes about; `peer/ours` of two times says how many times as fast we are. */
export type GoalForm = 'peer/ours' | 'ours/peer' | 'ours-peer' | 'ours'

export interface Goal {
  readonly what: string
  /** Name of the contender that is ours. */
  readonly ours: string
  /** Name of the one that it is held against; none for `ours`. */
  readonly peer?: string
  readonly figure: string
  readonly form: GoalForm
  readonly limit: { readonly at_least: number } | { readonly at_most: number }
  /** Of the compared number; a plain ratio has none. */
  readonly unit?: 'bytes' | 'ms' | 'count'
}

export type Verdict = 'met' | 'missed' | 'not-measured' | 'not-judged'

export interface GoalResult extends Goal {
  /** Median over the rounds of the number compared within each round. */
  readonly value: number | null
  readonly verdict: Verdict
}

/** Figures by contender, of one round. */
export type Round = Readonly<Record<string, Readonly<Record<string, number>> | undefined>>

/** @param judged false for a run that is too small to say anything of the goals */
export function judgeGoal(goal: Goal, rounds: readonly Round[], judged: boolean): GoalResult {
  const values = rounds.map((round) => compare(goal, round)).filter((value) => Number.isFinite(value))
  if (values.length === 0) return { ...goal, value: null, verdict: 'not-measured' }
  const value = median(values)
  if (!judged) return { ...goal, value, verdict: 'not-judged' }
  const met = 'at_least' in goal.limit ? value >= goal.limit.at_least : value <= goal.limit.at_most
  return { ...goal, value, verdict: met ? 'met' : 'missed' }
}

function compare({ ours, peer, figure, form }: Goal, round: Round): number {
  const a = round[ours]?.[figure] ?? Number.NaN
  const b = peer === undefined ? Number.NaN : (round[peer]?.[figure] ?? Number.NaN)
  switch (form) {
    case 'peer/ours':
      return b / a
    case 'ours/peer':
      return a / b
    case 'ours-peer':
      return a - b
    case 'ours':
      return a
  }
}
