/** May this host take a new version now? What the receiver said last, and whether it still counts. Pure. */
import type { UpdateAnswer } from '@cis490/shared/rollout.ts'
import { hour, minute } from './backoff.ts'

export interface Answered {
  readonly answer: UpdateAnswer
  /** When; epoch milliseconds. */
  readonly at: number
}

/** A heartbeat's answer is that good; after it the receiver is asked anew. */
const freshFor = 5 * minute
/** A receiver that is away holds nobody for ever: it may be this host's code that cannot reach it. */
const holdsFor = 24 * hour

export interface Wanted {
  readonly wave: number
  /** The commit to go to; undefined: the head of the branch. */
  readonly commit: string | undefined
}

/** Whether the last answer can be used without asking. @param now epoch milliseconds */
export function isFresh(last: Answered | undefined, wanted: Wanted, now: number): last is Answered {
  if (!last || now < last.at || now - last.at > freshFor) return false
  return last.answer.wave === wanted.wave && !isOfAnother(last.answer, wanted)
}

/** Without an answer now: a hold stands for a day, a permission does not. */
export function standing(last: Answered | undefined, now: number): Answered | undefined {
  return last && !last.answer.allowed && now >= last.at && now - last.at <= holdsFor ? last : undefined
}

export interface Allowed {
  readonly allowed: boolean
  readonly reason: string
  readonly text: string
}

/** The answer for this commit: what is allowed is the head that was judged, and no other. */
export function allowedFor(answer: UpdateAnswer, wanted: Wanted): Allowed {
  const { allowed, reason, text = '' } = answer
  if (allowed && wanted.wave > 0 && isOfAnother(answer, wanted))
    return {
      allowed: false,
      reason: 'other-commit',
      text: `the receiver allows ${short(answer.commit)}, not ${short(wanted.commit)}: fetch again, or wait until it has seen that one`,
    }
  return { allowed, reason, text }
}

function isOfAnother({ commit }: UpdateAnswer, wanted: Wanted): boolean {
  return wanted.commit !== undefined && commit !== undefined && wanted.commit !== commit
}

function short(commit: string | undefined): string {
  return (commit ?? '').slice(0, 12)
}
