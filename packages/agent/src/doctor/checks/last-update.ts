/** What the updater did last, and what keeps this host from the newest code. */
import { formatDuration } from '@cis490/shared/duration.ts'
import type { LastUpdate } from '@cis490/shared/report.ts'
import type { Check } from '../check.ts'

/** A forge that is away for a night is no finding: the next run tries again. */
const patienceMs = 24 * 3_600_000

/** @param read undefined: it never ran */
export function lastUpdate(read: () => Promise<LastUpdate | undefined>, now: () => number): Check {
  return {
    code: 'last-update',
    title: 'Updates come in',
    severity: 'warning',
    timeout: 2000,
    depends_on: [],
    remedy: 'journalctl -u cis490-autoupdate -n 50 --no-pager; sudo systemctl start cis490-autoupdate tries again',
    run: async () => {
      const last = await read()
      if (last === undefined) return { outcome: 'skip', text: 'the updater has not run here' }
      const { at, outcome, reason, failing_since: since } = last
      const text = `${outcome} ${formatDuration(Math.max(0, now() - Date.parse(at)))} ago: ${reason}`
      const well = outcome === 'updated' || outcome === 'current' || outcome === 'held'
      const passing = outcome === 'failed' && since !== undefined && now() - Date.parse(since) < patienceMs
      return { outcome: well || passing ? 'pass' : 'warn', text, data: { ...last } }
    },
  }
}
