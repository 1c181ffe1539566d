/** Staged updates wired up: hears hosts and reports, and says who may update. */
import type { HeartbeatRow } from '@cis490/shared/heartbeat.ts'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { RolloutHost } from '@cis490/shared/rollout.ts'
import { type Hold, judgeUpdate, type UpdateVerdict } from './core/rollout.ts'
import type { WaveHost } from './core/wave-progress.ts'
import { Ledger } from './rollout/ledger.ts'
import { HostWords } from './rollout/words.ts'
import type { UpdateAnswers } from './routes/rollout.ts'

export interface RolloutOptions {
  /** Its file. */
  readonly path: string
  /** The file of a host's last report. */
  readonly reportOf: (host: HostName) => string
  readonly log: Logger
  /** Milliseconds. */
  readonly soak: number
  readonly share: number
  /** The head of the gate's branch now. */
  readonly head: () => string | undefined
  /** What the operator's directives hold back. @param now epoch milliseconds */
  readonly holdFor: (host: string, now: number) => Hold | undefined
}

export interface Rollout extends UpdateAnswers, AsyncDisposable {
  /** @param now epoch milliseconds, here and there */
  heard(row: HeartbeatRow, now: number): void
  reported(host: HostName, report: Readonly<Record<string, unknown>>, now: number): void
}

/** Thousands of hosts ask each minute, and the answer is the same for a wave; that long it is kept, milliseconds. */
const keepFor = 1000
/** Of so many hosts each has news at once after a restart: then it is looked at that often. */
const manyHosts = 500
const newsEvery = 50

interface Kept {
  readonly at: number
  readonly head: string | undefined
  readonly verdict: UpdateVerdict
  /** How many were looked at. */
  readonly hosts: number
  outdated: boolean
}

export async function openRollout(options: RolloutOptions): Promise<Rollout> {
  const { soak, share, head, holdFor, log } = options
  await using stack = new AsyncDisposableStack()
  const ledger = stack.use(await Ledger.open(options.path, log))
  const words = stack.use(new HostWords(options.reportOf, log))
  const verdicts = new Map<number, Kept>()

  const outdate = () => {
    for (const kept of verdicts.values()) kept.outdated = true
  }
  const isGood = ({ at, outdated, hosts }: Kept, now: number) => {
    const age = now - at
    return age >= 0 && age < (outdated ? (hosts > manyHosts ? newsEvery : 0) : keepFor)
  }

  const judge = (wave: number, commit: string | undefined, hold: Hold | undefined, now: number): UpdateVerdict => {
    const present = head()
    const headSeenAt = ledger.seen(present, now)
    const question = { wave, commit, hold, head: present, headSeenAt, soak, share, now }
    // These need no look at the other hosts.
    if (hold || wave === 0 || commit === present) return judgeUpdate({ ...question, hosts: [] })
    const kept = verdicts.get(wave)
    if (kept && kept.head === present && isGood(kept, now)) return kept.verdict
    const hosts: WaveHost[] = []
    for (const [host, one] of ledger.hosts(now)) if (one.wave < wave) hosts.push({ host, ...one, report: words.get(host) })
    const verdict = judgeUpdate({ ...question, hosts })
    verdicts.set(wave, { at: now, head: present, verdict, hosts: hosts.length, outdated: false })
    return verdict
  }

  const answer: Rollout['answer'] = (host, said, now) => {
    const known = ledger.get(host)
    const wave = said.wave ?? known?.wave
    const hold = holdFor(host, now)
    if (wave === undefined && !hold) return undefined
    const commit = said.commit ?? known?.commit
    const verdict = judge(wave ?? 0, commit, hold && { reason: shown(hold.reason) }, now)
    const present = head()
    return { ...verdict, ...(wave !== undefined && { wave }), ...(present !== undefined && { commit: present }) }
  }

  const owned = stack.move()
  return {
    answer,
    heard: (row, now) => {
      ledger.seen(head(), now)
      if (ledger.hear(row, now)) outdate()
      if (ledger.get(row.host)) words.want(row.host, outdate)
    },
    reported: (host, report, now) => {
      words.take(host, report, now)
      outdate()
    },
    view: (now, only) => {
      const present = head()
      const seenAt = ledger.seen(present, now)
      const hosts = [...ledger.hosts(now)].flatMap(([host, one]): [string, RolloutHost][] => {
        const update = only === undefined || host === only ? answer(host, {}, now) : undefined
        return update ? [[host, { ...rowOf(one, words.get(host)), update }]] : []
      })
      return {
        generated_at: timestamp(now),
        head: present ?? null,
        head_seen_at: seenAt === undefined ? null : timestamp(seenAt),
        soak_s: soak / 1000,
        hosts: Object.fromEntries(hosts.toSorted(([a], [b]) => (a < b ? -1 : 1))),
      }
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}

function rowOf(one: Omit<WaveHost, 'host' | 'report'>, report: WaveHost['report']): Omit<RolloutHost, 'update'> {
  return {
    wave: one.wave,
    commit: one.commit ?? null,
    since: timestamp(one.since),
    heard_at: timestamp(one.heardAt),
    report: report ? { received_at: timestamp(report.at), commit: report.commit ?? null, outcome: report.outcome ?? null } : null,
  }
}

function shown(reason: string | undefined): string | undefined {
  return reason === undefined ? undefined : printable(reason).slice(0, 300)
}
