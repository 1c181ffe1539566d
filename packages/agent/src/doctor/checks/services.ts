/** The daemon and the timers of this host. */
import { counted } from '@cis490/shared/counted.ts'
import { formatDuration } from '@cis490/shared/duration.ts'
import type { Check, Finding } from '../check.ts'
import type { UnitState } from '../systemd.ts'

/** @param holder process that has the agent's lock; null: none; undefined: the kernel does not tell */
export function daemon(holder: () => number | null | undefined): Check {
  return {
    code: 'daemon',
    title: 'The daemon is at work',
    severity: 'warning',
    timeout: 1000,
    depends_on: [],
    remedy:
      'sudo systemctl enable --now cis490-orchestrator; journalctl -u cis490-orchestrator -n 50 --no-pager says why it ended',
    run: async () => {
      const pid = holder()
      if (pid === undefined) return { outcome: 'skip', text: 'this kernel does not tell' }
      if (pid === null)
        return { outcome: 'warn', text: 'nothing ships by itself: cis490-agent run is not at work', data: { pid } }
      return { outcome: 'pass', text: `process ${pid}`, data: { pid } }
    },
  }
}

/** The first is on every host; the others as far as they are installed. */
const wanted = 'cis490-doctor-check.timer'
export const timerUnits: readonly string[] = [wanted, 'cis490-autoupdate.timer', 'cis490-cert-fetch.timer']
/** All of them run daily or more often, with some jitter. */
const longestMs = 3 * 86_400_000

/** @param show undefined: no systemd at work here. The timers and, behind them, their services */
export function timers(show: () => Promise<readonly UnitState[] | undefined>, now: () => number): Check {
  return {
    code: 'timers',
    title: 'The timers run',
    severity: 'warning',
    timeout: 10_000,
    depends_on: [],
    remedy: `sudo systemctl enable --now ${wanted}`,
    run: async () => {
      const units = await show()
      if (units === undefined) return { outcome: 'skip', text: 'no systemd is at work here' }
      const states = new Map(units.map((unit) => [unit.id, unit]))
      const installed = timerUnits.filter((name) => states.get(name)?.loaded ?? false)
      const troubles = installed.flatMap((name) => troubleOf(name, states, now()))
      if (!installed.includes(wanted))
        troubles.unshift({ text: `${wanted} is not installed`, remedy: 'sudo /opt/cis490/scripts/install-lab-host.sh' })
      return judgeTimers(troubles, installed, states)
    },
  }
}

interface Trouble {
  readonly text: string
  readonly remedy: string
}

function troubleOf(name: string, states: ReadonlyMap<string, UnitState>, now: number): Trouble[] {
  const timer = states.get(name)
  const service = name.replace('.timer', '.service')
  const result = states.get(service)?.result
  if (timer?.active !== true) return [{ text: `${name} is not active`, remedy: `sudo systemctl enable --now ${name}` }]
  if (result !== undefined && result !== 'success')
    return [{ text: `the last run of ${service} failed (${result})`, remedy: `journalctl -u ${service} -n 50 --no-pager` }]
  const age = timer.lastRun === undefined ? 0 : now - timer.lastRun
  if (age > longestMs)
    return [{ text: `${name} did not run for ${formatDuration(age)}`, remedy: `sudo systemctl restart ${name}` }]
  return []
}

function judgeTimers(
  troubles: readonly Trouble[],
  installed: readonly string[],
  states: ReadonlyMap<string, UnitState>,
): Finding {
  const lastRuns = Object.fromEntries(
    installed.map((name) => {
      const at = states.get(name)?.lastRun
      return [name, at === undefined ? null : new Date(at).toISOString()]
    }),
  )
  const data = { last_run: lastRuns }
  if (troubles.length === 0) return { outcome: 'pass', text: `${counted(installed.length, 'timer')} active`, data }
  return {
    outcome: 'warn',
    text: troubles.map((one) => one.text).join('; '),
    data,
    remedy: troubles.map((one) => one.remedy).join('; '),
  }
}
