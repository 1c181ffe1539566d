/** The version gate: may an episode of this commit come in? */
import type { GateMode } from '@cis490/shared/gate-answer.ts'
import { CommitSha, type HostName } from '@cis490/shared/ids.ts'
import type { ProblemMembers } from '@cis490/shared/problems.ts'
import { gateRemediation, type RemediationWords } from '@cis490/shared/remediation.ts'
import type { CommitWindow } from './window.ts'

export interface Denial {
  readonly commit: CommitSha
  readonly reason: string
  readonly by: string
}

export interface Waiver {
  readonly host: HostName
  readonly commits: readonly CommitSha[]
  /** Epoch milliseconds; from then on the waiver is void. */
  readonly until: number
  readonly reason: string
  readonly by: string
}

export interface Accepted {
  readonly kind: 'accept'
  readonly commit?: CommitSha
  /** In the window, from 1 (the head). */
  readonly position?: number
  readonly behindBy?: number
  readonly head?: CommitSha
  /** Let in although the window alone would have refused it. */
  readonly mark?: 'observe' | 'waiver'
}

export interface Refused {
  readonly kind: 'refuse'
  readonly code: 'commit-missing' | 'commit-malformed' | 'commit-not-in-window' | 'commit-denied' | 'gate-unavailable'
  readonly detail: string
  readonly members: ProblemMembers
}

export type GateVerdict = Accepted | Refused

export interface GateQuestion {
  /** As the client sent it. */
  readonly stamp: string | undefined
  readonly host: HostName | undefined
  /** undefined: no commit set yet. */
  readonly window: CommitWindow | undefined
  readonly mode: GateMode
  readonly deny: readonly Denial[]
  readonly waivers: readonly Waiver[]
  /** Epoch milliseconds. */
  readonly now: number
  readonly words: RemediationWords
}

/** When a client may ask again while there is no commit set. */
const retryAfterS = 5

/** Mode `observe` lets in what `enforce` would refuse, and marks it; `off` looks at nothing. */
export function judge(question: GateQuestion): GateVerdict {
  const commit = parseStamp(question.stamp)
  const stamped = commit === undefined ? {} : { commit }
  if (question.mode === 'off') return { kind: 'accept', ...stamped }
  const verdict = enforce(question, commit)
  if (question.mode === 'enforce' || verdict.kind === 'accept') return verdict
  return { kind: 'accept', ...stamped, ...place(question.window, commit), mark: 'observe' }
}

/** Asked at the end of a long upload: its place in the window was judged at the beginning, the deny list counts now. */
export function judgeAgain(question: GateQuestion): Accepted | Refused {
  const commit = parseStamp(question.stamp)
  const denied = commit !== undefined && question.deny.some((entry) => entry.commit === commit)
  return denied ? judge(question) : { kind: 'accept' }
}

function enforce(question: GateQuestion, commit: CommitSha | undefined): GateVerdict {
  const { stamp, window, words } = question
  if (stamp === undefined || stamp === '')
    return refuse('commit-missing', 'X-Cis490-Code-Commit is missing: the agent on this host is too old to stamp its uploads', {
      remediation: gateRemediation(words),
    })
  if (commit === undefined)
    return refuse('commit-malformed', 'X-Cis490-Code-Commit is not 40 or 64 hexadecimal digits', {
      remediation: gateRemediation(words),
    })

  const denial = question.deny.find((entry) => entry.commit === commit)
  // A waiver needs no window: it names its commits. A 412 does: it tells the head.
  if (!denial && waived(question, commit) && window?.position(commit) === undefined)
    return { kind: 'accept', commit, ...place(window, commit), mark: 'waiver' }
  if (!window)
    return refuse('gate-unavailable', `the receiver has not seen the commits of ${words.branch} yet`, {
      retry_after_s: retryAfterS,
    })

  const { position, behindBy } = place(window, commit)
  if (!denial && position !== undefined) return { kind: 'accept', commit, ...place(window, commit) }
  const members = {
    remediation: gateRemediation(words),
    your_commit: commit,
    head_commit: window.head,
    window: window.limit,
    ...(behindBy === undefined ? {} : { behind_by: behindBy }),
  }
  if (denial) return refuse('commit-denied', `commit ${commit} is on the deny list: ${denial.reason}`, members)
  const detail = `commit ${commit} is not among the last ${window.limit} commits of ${words.branch}, whose head is ${window.head}`
  return refuse('commit-not-in-window', detail, members)
}

/** @returns undefined when missing or malformed */
function parseStamp(stamp: string | undefined): CommitSha | undefined {
  return CommitSha.safeParse(stamp).data
}

function place(window: CommitWindow | undefined, commit: CommitSha | undefined): Omit<Accepted, 'kind' | 'commit' | 'mark'> {
  if (!window) return {}
  const position = commit === undefined ? undefined : window.position(commit)
  return { ...(position === undefined ? {} : { position, behindBy: position - 1 }), head: window.head }
}

function waived({ waivers, host, now }: GateQuestion, commit: CommitSha): boolean {
  return waivers.some((waiver) => waiver.host === host && now < waiver.until && waiver.commits.includes(commit))
}

function refuse(code: Refused['code'], detail: string, members: ProblemMembers): Refused {
  return { kind: 'refuse', code, detail, members }
}
