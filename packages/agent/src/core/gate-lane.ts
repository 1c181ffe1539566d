/** When the gated lane is asked about again, and what the gate's answer for a commit does to its entries. */
import type { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { hour, isAhead } from './backoff.ts'

/** What the gate was when every gated commit was last asked about. */
export interface GateMemory {
  readonly head: string | null
  readonly askAgainAt: number
}

export type AskReason = 'first' | 'head-moved' | 'hourly'

/** A changed host starts a new process, which has no memory yet: `first`. */
export function whyAsk(memory: GateMemory | undefined, head: string | null, now: number): AskReason | undefined {
  if (!memory) return 'first'
  if (memory.head !== head) return 'head-moved'
  return isAhead(memory.askAgainAt, now) ? undefined : 'hourly'
}

/** @param random in [0, 1): hosts do not ask in step */
export function remember(head: string | null, now: number, random: number): GateMemory {
  return { head, askAgainAt: now + hour * (0.9 + 0.2 * random) }
}

/** An entry without a stamp cannot be asked about: it passes when the gate does not enforce. */
export function gateVerdict(answer: GateAnswer, commit: string | undefined): 'accept' | 'refuse' | 'unknown' {
  if (answer.mode !== 'enforce') return 'accept'
  if (commit === undefined) return 'refuse'
  return answer.verdict === 'accept' || answer.verdict === 'refuse' ? answer.verdict : 'unknown'
}

/** Refused for the want of a whole commit hash: no window and no update of this host lets it in. */
export function unstamped(code: string | undefined): boolean {
  return code === 'commit-malformed' || code === 'commit-missing'
}
