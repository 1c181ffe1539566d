/** Staged updates: may a host of this wave take the head of the branch? Pure. */
import { formatDuration } from '@cis490/shared/duration.ts'
import type { AllowedReason, HeldReason, UpdateReason } from '@cis490/shared/rollout.ts'
import { progressOf, type Stage, type WaveHost } from './wave-progress.ts'

export interface Hold {
  readonly reason?: string | undefined
}

export interface UpdateQuestion {
  readonly wave: number
  /** What the host runs. */
  readonly commit: string | undefined
  /** The operator's word. */
  readonly hold: Hold | undefined
  /** undefined: this receiver does not know it. */
  readonly head: string | undefined
  /** When it became the head, epoch milliseconds. */
  readonly headSeenAt: number | undefined
  /** Every host that is known. */
  readonly hosts: readonly WaveHost[]
  /** How long a wave runs the head before the next one follows, milliseconds. */
  readonly soak: number
  /** Share of a wave that has to run it well, over 0 to 1. */
  readonly share: number
  /** Epoch milliseconds. */
  readonly now: number
}

export interface UpdateVerdict {
  readonly allowed: boolean
  readonly reason: UpdateReason
  readonly text: string
}

/** Whoever takes every head, and whoever runs it, depends on nobody; a hold beats them too. */
export function judgeUpdate(question: UpdateQuestion): UpdateVerdict {
  const { wave, commit, hold, head } = question
  if (hold) return held('hold-update', `held by the operator${hold.reason === undefined ? '' : `: ${hold.reason}`}`)
  if (head !== undefined && commit === head) return may('current', 'it runs the head of the branch')
  if (wave === 0) return may('canary', 'wave 0 takes every head at once')
  if (head === undefined)
    return held('head-unknown', 'the receiver does not know the head of the branch: see GET /v1/gate and [version_gate]')
  return judgeLater(question, head)
}

function judgeLater(question: UpdateQuestion, head: string): UpdateVerdict {
  const { wave, hosts, share, soak } = question
  const before = hosts.filter((host) => host.wave < wave)
  const back = before.filter(({ report }) => report?.rolledBackFrom === head)
  if (back.length > 0)
    return held('rolled-back', `wave ${back[0]?.wave}: ${back[0]?.host} took this commit and went back to the one before`)
  if (before.length === 0) return judgeAlone(question)
  for (const number of [...new Set(before.map((host) => host.wave))].toSorted((a, b) => a - b)) {
    const of = before.filter((host) => host.wave === number)
    const { well, needed, blockedBy } = progressOf(of, { head, share, soak })
    if (blockedBy) return held(blockedBy, waitText({ number, well, needed, known: of.length, soak }, blockedBy))
  }
  return may('proven', `the waves before ${wave} run it well for ${formatDuration(soak)}`)
}

/** Nobody goes ahead: the time alone decides. */
function judgeAlone({ headSeenAt, soak, now }: UpdateQuestion): UpdateVerdict {
  // A clock that was set back begins the time anew.
  const age = headSeenAt === undefined || headSeenAt > now ? 0 : now - headSeenAt
  if (age < soak)
    return held('soaking', `no host is in a wave before; the head is ${formatDuration(age)} old, of ${formatDuration(soak)}`)
  return may('no-canaries', `no host is in a wave before, and the head is older than ${formatDuration(soak)}`)
}

interface Count {
  readonly number: number
  readonly well: number
  readonly needed: number
  readonly known: number
  readonly soak: number
}

const why: Record<Stage, (soak: number) => string> = {
  unwell: () => 'others run it and their doctor fails',
  behind: () => 'others do not run it yet',
  unreported: () => 'others run it and have not sent a report since',
  soaking: (soak) => `others run it for less than ${formatDuration(soak)}`,
}

function waitText({ number, well, needed, known, soak }: Count, stage: Stage): string {
  return `wave ${number}: ${well} of ${known} ${known === 1 ? 'host runs' : 'hosts run'} it well, ${needed} must; ${why[stage](soak)}`
}

function may(reason: AllowedReason, text: string): UpdateVerdict {
  return { allowed: true, reason, text }
}

function held(reason: HeldReason, text: string): UpdateVerdict {
  return { allowed: false, reason, text }
}
