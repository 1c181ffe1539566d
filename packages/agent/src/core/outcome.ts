/** What the answer to an upload means for the entry. Decided by the problem's code; by status class only where somebody else answered. */
import { parseObject } from '@cis490/shared/jsonl.ts'
import { type Problem, problems } from '@cis490/shared/problems.ts'
import { header } from '@cis490/shared/protocol.ts'
import { Receipt } from '@cis490/shared/receipt.ts'
import type { Answer, Answered, FaultCode } from './answer.ts'
import { jitteredDelay, minute, retryAfterMs } from './backoff.ts'

/** How long everything waits before one entry is tried as a probe. */
export const probeEvery = 15 * minute

/** What of an entry the decision looks at. */
export interface Sent {
  readonly id: string
  readonly sha256: string
  readonly attempts: number
}

export type AttemptOutcome =
  | { readonly outcome: 'delivered'; readonly receipt: Receipt; readonly signature?: string }
  | { readonly outcome: 'later'; readonly nextAt: number; readonly code: string; readonly alarm?: string }
  | { readonly outcome: 'gated'; readonly code: string; readonly problem: Problem }
  | { readonly outcome: 'quarantine'; readonly code: string }
  | { readonly outcome: 'compare' }
  | { readonly outcome: 'rehash' }
  | {
      readonly outcome: 'all-wait'
      readonly nextAt: number
      readonly code: string
      readonly alarm: string
      readonly remediation?: string
    }
  /** Nobody answered: the receiver backs off, the entry keeps its place. */
  | { readonly outcome: 'unreachable'; readonly code: FaultCode; readonly message: string }
  /** Ended from here: nothing is known and nothing changes. */
  | { readonly outcome: 'untouched' }

/** @param now epoch milliseconds. @param random in [0, 1) */
export function outcomeOf(sent: Sent, answer: Answer, now: number, random: number): AttemptOutcome {
  if (answer.kind === 'fault') {
    const { code, message } = answer
    if (code === 'aborted') return { outcome: 'untouched' }
    return code === 'archive-unreadable' ? { outcome: 'rehash' } : { outcome: 'unreachable', code, message }
  }
  if (answer.problem) return ofProblem(sent, answer, answer.problem, now, random)
  if (answer.status >= 200 && answer.status < 300) return ofSuccess(sent, answer, now, random)
  return ofStranger(sent, answer, now, random)
}

function ofProblem(sent: Sent, answer: Answered, problem: Problem, now: number, random: number): AttemptOutcome {
  const { code } = problem
  const alarm = `${problem.title}: ${problem.detail}`
  switch (problems[code].consequence) {
    case 'gated':
      return { outcome: 'gated', code, problem }
    case 'quarantine':
      return { outcome: 'quarantine', code }
    case 'compare':
      return { outcome: 'compare' }
    case 'rehash':
      return { outcome: 'rehash' }
    case 'retry':
      return later(sent, answer, code, now, random)
    case 'retry-slowly':
      return { ...later(sent, answer, code, now, random, minute), alarm }
    case 'all-wait':
      return {
        outcome: 'all-wait',
        nextAt: now + probeEvery,
        code,
        alarm,
        ...(problem.remediation ? { remediation: problem.remediation } : {}),
      }
    case 'create-anew':
    case 'resume':
      return later(sent, answer, code, now, random)
    case 'none':
      return ofStranger(sent, answer, now, random)
  }
}

/** A 2xx counts only with a receipt for these bytes: a captive portal says 200 too. */
function ofSuccess(sent: Sent, answer: Answered, now: number, random: number): AttemptOutcome {
  const receipt = Receipt.safeParse(parseObject(answer.body))
  if (!receipt.success) {
    const alarm = `${answer.status} without a receipt: something else than the receiver answers at receiver.url`
    return { outcome: 'all-wait', nextAt: now + probeEvery, code: 'no-receipt', alarm }
  }
  if (receipt.data.id === sent.id && receipt.data.sha256 === sent.sha256) return { outcome: 'delivered', receipt: receipt.data }
  return { ...later(sent, answer, 'wrong-receipt', now, random), alarm: 'the receipt is for another episode or other bytes' }
}

/** Not our problem JSON: a proxy, a portal, another program. Nothing that it says moves an entry. */
function ofStranger(sent: Sent, answer: Answered, now: number, random: number): AttemptOutcome {
  const code = `http-${answer.status}`
  if (answer.status >= 500) return later(sent, answer, code, now, random)
  const alarm = `${answer.status} that is not the receiver's: check receiver.url and what stands between`
  return { outcome: 'all-wait', nextAt: now + probeEvery, code, alarm }
}

/** What is not about this entry: the receiver as a whole, or what stands in front of it, wants to be left alone for a while. */
const receiverWide = [
  'gate-unavailable',
  'overloaded',
  'shutting-down',
  'rate',
  'store-full',
  'quota',
  'receipt-unsigned',
  'receipt-key-unknown',
]

/** @param inARow how often in a row it was this code, this time included: one entry that the receiver trips over does not hold the others */
export function isReceiverWide(code: string, inARow: number): boolean {
  return receiverWide.includes(code) || /^http-5\d\d$/.test(code) || (code === 'internal' && inARow >= 3)
}

function later(sent: Sent, answer: Answered, code: string, now: number, random: number, base?: number) {
  const floor = retryAfterMs(answer.headers[header.retryAfter], now) ?? 0
  return { outcome: 'later', code, nextAt: now + Math.max(floor, jitteredDelay(sent.attempts, random, base)) } as const
}

/** The receiver got other bytes than we named, or the archive could not be read to its end. @param unchanged the archive on disk still has its hash. @param mismatches how often in a row it was so, this time included */
export type RehashVerdict = 'retry' | 'quarantine' | 'repack'
export function afterRehash(unchanged: boolean, mismatches: number, folderExists: boolean): RehashVerdict {
  if (unchanged) return mismatches <= 3 ? 'retry' : 'quarantine'
  return folderExists ? 'repack' : 'quarantine'
}

/** HEAD of the stored episode against ours. Anything but a clear answer means: send, the answer to that decides. */
export function afterHead(answer: Answer, sha256: string): 'send' | 'conflict' {
  if (answer.kind === 'fault' || answer.status !== 200) return 'send'
  const stored = /^(?:W\/)?"sha256-([0-9a-f]{64})"$/i.exec(answer.headers['etag'] ?? '')?.[1]?.toLowerCase()
  return stored === undefined || stored === sha256 ? 'send' : 'conflict'
}
