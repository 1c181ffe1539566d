/** What waits in the outbox, and what waits for a person. */
import { formatDuration } from '@cis490/shared/duration.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Check } from '../check.ts'

export interface OutboxSummary {
  readonly lanes: Record<'ready' | 'gated' | 'quarantine', { readonly count: number; readonly bytes: number }>
  readonly oldest_age_s: number | null
  /** Episodes whose meta.json is older than their files for more than an hour, or not valid. */
  readonly stuck: readonly { readonly id: string; readonly reason: string }[]
}

export function outboxCheck(summary: () => Promise<OutboxSummary>): Check {
  return {
    code: 'outbox',
    title: 'Nothing waits for a person',
    severity: 'warning',
    timeout: 10_000,
    depends_on: [],
    remedy: 'cis490-agent outbox list',
    run: async () => {
      let found: OutboxSummary
      try {
        found = await summary()
      } catch (error) {
        return {
          outcome: 'fail',
          text: `cannot read the outbox: ${messageOf(error)}`,
          remedy: 'check the folder and its owner (paths.outbox)',
        }
      }
      const { ready, gated, quarantine } = found.lanes
      const data = { ...found }
      if (quarantine.count > 0)
        return {
          outcome: 'warn',
          text: `${quarantine.count} episodes are refused for good`,
          data,
          remedy: 'cis490-agent outbox list, then release or drop',
        }
      if (gated.count > 0)
        return {
          outcome: 'warn',
          text: `${gated.count} episodes wait on the gated lane: their code is not in the window`,
          data,
          remedy: 'update this host (cis490-agent ship shows the lines to paste), or ask for a waiver',
        }
      const stuck = found.stuck[0]
      if (stuck)
        return {
          outcome: 'warn',
          text: `episode-stuck: ${found.stuck.length} episodes never finish, first ${stuck.id} (${stuck.reason})`,
          data,
          remedy: 'touch meta.json of an episode that is whole',
        }
      const age = found.oldest_age_s === null ? '' : `, the oldest for ${formatDuration(found.oldest_age_s * 1000)}`
      return {
        outcome: 'pass',
        text: ready.count === 0 ? 'empty' : `${ready.count} ready (${formatSize(ready.bytes)})${age}`,
        data,
      }
    },
  }
}
