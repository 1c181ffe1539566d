/** Does what waits move? Age of each lane, and the last receipt. */
import { formatDuration } from '@cis490/shared/duration.ts'
import type { Check } from '../check.ts'

const hour = 3_600_000
const day = 24 * hour

/** Seconds of the oldest archive of each lane; null: none waits there. */
export type LaneAges = Readonly<Record<'ready' | 'gated' | 'quarantine', number | null>>

export function outboxAge(ages: () => Promise<LaneAges>): Check {
  return {
    code: 'outbox-age',
    title: 'Nothing waits for long',
    severity: 'warning',
    timeout: 10_000,
    depends_on: ['outbox', 'receiver-authorises'],
    remedy: 'cis490-agent outbox list shows why each waits; cis490-agent why ID tells the whole story of one',
    run: async () => {
      const found = await ages()
      const known = Object.entries(found).flatMap(([lane, age]) => (age === null ? [] : [[lane, age] as const]))
      const perfdata = known.map(([lane, age]) => `${lane}_oldest=${age}s`)
      if (known.length === 0) return { outcome: 'pass', text: 'nothing waits', data: { oldest_age_s: found } }
      const text = known.map(([lane, age]) => `${lane} for ${formatDuration(age * 1000)}`).join(', ')
      // What is ready goes within minutes; what a person must act on is given some days.
      const late = (found.ready ?? 0) * 1000 > day || Math.max(found.gated ?? 0, found.quarantine ?? 0) * 1000 > 7 * day
      return { outcome: late ? 'warn' : 'pass', text: `the oldest: ${text}`, data: { oldest_age_s: found }, perfdata }
    },
  }
}

export interface LastReceipt {
  readonly last: { readonly id: string; readonly received_at: string } | undefined
  /** Seconds that the oldest ready archive has waited; null: none. */
  readonly readyAge: number | null
}

export function lastReceipt(ask: () => Promise<LastReceipt>, now: () => number): Check {
  return {
    code: 'last-receipt',
    title: 'Receipts come in',
    severity: 'warning',
    timeout: 10_000,
    depends_on: ['outbox', 'receiver-authorises', 'daemon', 'shipping'],
    remedy: 'journalctl -u cis490-orchestrator -n 100 --no-pager; cis490-agent outbox list',
    run: async () => {
      const { last, readyAge } = await ask()
      const age = last === undefined ? undefined : Math.max(0, now() - Date.parse(last.received_at))
      const data = { last_receipt: last ?? null, ready_oldest_age_s: readyAge }
      const perfdata = age === undefined ? [] : [`last_receipt_age=${Math.round(age / 1000)}s`]
      const text =
        age === undefined ? 'nothing was delivered yet' : `the last one came ${formatDuration(age)} ago, for ${last?.id}`
      const stalled = readyAge !== null && readyAge * 1000 > hour && (age ?? Number.POSITIVE_INFINITY) > hour
      if (!stalled) return { outcome: 'pass', text, data, perfdata }
      return {
        outcome: 'warn',
        text: `${text}, and archives have been ready for ${formatDuration(readyAge * 1000)}`,
        data,
        perfdata,
      }
    },
  }
}
