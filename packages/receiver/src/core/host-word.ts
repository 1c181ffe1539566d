/** A stored report, as far as staged updates care. Reports have any shape: what is not understood says nothing. Pure. */

import { Outcome } from '@cis490/shared/check.ts'
import { CommitSha } from '@cis490/shared/ids.ts'
import type { HostWord } from './wave-progress.ts'

type Fields = Readonly<Record<string, unknown>>

/** @param at when it came, epoch milliseconds */
export function hostWord(report: Fields | undefined, at: number): HostWord {
  const update = report?.['update']
  return {
    at,
    commit: CommitSha.safeParse(report?.['commit']).data,
    outcome: Outcome.safeParse(report?.['outcome']).data,
    rolledBackFrom: typeof update === 'object' && update !== null ? rolledBack(update as Fields) : undefined,
  }
}

/** An update that failed before the swap (a registry that is away) says nothing about the commit. */
function rolledBack(update: Fields): string | undefined {
  return update['outcome'] === 'rolled-back' ? CommitSha.safeParse(update['to']).data : undefined
}
