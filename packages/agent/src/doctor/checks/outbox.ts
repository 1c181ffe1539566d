/** What waits in the outbox, and what waits for a person. */
import { counted } from '@cis490/shared/counted.ts'
import { formatDuration } from '@cis490/shared/duration.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Check } from '../check.ts'

export interface OutboxSummary {
  readonly lanes: Record<'ready' | 'gated' | 'quarantine', { readonly count: number; readonly bytes: number }>
  readonly oldest_age_s: number | null
  /** Gated for the want of a whole commit hash. */
  readonly unstamped: number
  /** Episodes whose meta.json is older than their files for more than an hour, or not valid. */
  readonly stuck: readonly { readonly id: string; readonly reason: string }[]
  /** What was given up, by a person or for room; the last ones in full. */
  readonly tombstones: {
    readonly count: number
    readonly last: readonly { readonly id: string; readonly at: string; readonly reason: string; readonly by: string }[]
  }
}

const mostNamed = 20

export function outboxCheck(summary: () => Promise<OutboxSummary>): Check {
  return {
    code: 'outbox',
    title: 'Episodes that need a person',
    severity: 'warning',
    timeout: 10_000,
    depends_on: ['episodes-readable'],
    remedy: 'cis490-agent outbox list',
    run: async () => {
      let found: OutboxSummary
      try {
        found = await summary()
      } catch (error) {
        return {
          outcome: 'fail',
          text: `cannot read the outbox: ${messageOf(error)}`,
          remedy: 'paths.outbox must be a folder of the user cis490: ls -ld FOLDER; sudo chown -R cis490: FOLDER',
        }
      }
      const { ready } = found.lanes
      // A report has to fit what the receiver takes, however many there are.
      const { lanes, oldest_age_s, unstamped, stuck, tombstones } = found
      const data = { lanes, oldest_age_s, unstamped, tombstones, stuck: stuck.slice(0, mostNamed), stuck_count: stuck.length }
      const perfdata = Object.entries(found.lanes).flatMap(([lane, { count, bytes }]) => [
        `${lane}=${count}`,
        `${lane}_bytes=${bytes}B`,
      ])
      const findings = troubles(found)
      const [first] = findings
      if (first)
        return {
          outcome: 'warn',
          text: findings.map(({ text }) => text).join('; '),
          data,
          perfdata,
          remedy: findings.map(({ remedy }) => remedy).join('; '),
        }
      const age = found.oldest_age_s === null ? '' : `, the oldest for ${formatDuration(found.oldest_age_s * 1000)}`
      return {
        outcome: 'pass',
        text: ready.count === 0 ? 'none, the outbox is empty' : `none, ${ready.count} ready (${formatSize(ready.bytes)})${age}`,
        data,
        perfdata,
      }
    },
  }
}

/** The most urgent first, each with its own remedy. */
function troubles({ lanes: { gated, quarantine }, unstamped, stuck }: OutboxSummary): { text: string; remedy: string }[] {
  const [first] = stuck
  return [
    ...(quarantine.count === 0
      ? []
      : [
          {
            text: `${counted(quarantine.count, 'episode')} refused for good`,
            remedy:
              'cis490-agent outbox list; stop the daemon (sudo systemctl stop cis490-orchestrator), outbox release or drop, start it again',
          },
        ]),
    ...(unstamped === 0
      ? []
      : [
          {
            text: `${counted(unstamped, 'episode')} on the gated lane without a full commit hash`,
            remedy:
              'the recorder must write the full hash into code_version.commit of meta.json; give these up: cis490-agent outbox drop ID --reason TEXT',
          },
        ]),
    ...(gated.count === unstamped
      ? []
      : [
          {
            text: `${counted(gated.count - unstamped, 'episode')} on the gated lane: their code is not in the window`,
            remedy: 'update this host (cis490-agent ship shows the lines to paste), or ask for a waiver',
          },
        ]),
    ...(first === undefined
      ? []
      : [
          {
            text: `episode-stuck: ${counted(stuck.length, 'episode')} that will not finish, first ${first.id} (${first.reason})`,
            remedy: 'cis490-agent why ID; touch meta.json of an episode that is whole; write a valid one where it is broken',
          },
        ]),
  ]
}
