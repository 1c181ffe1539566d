/** What systemd says of some units. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface UnitState {
  readonly id: string
  readonly loaded: boolean
  readonly active: boolean
  /** Epoch milliseconds; only of a timer that ran since boot, or is persistent. */
  readonly lastRun?: number
  /** Of a service: `success`, or why its last run failed. */
  readonly result?: string
}

/** @returns undefined where no systemd is at work */
export async function showUnits(units: readonly string[], signal?: AbortSignal): Promise<UnitState[] | undefined> {
  if (!existsSync('/run/systemd/system')) return undefined
  const properties = 'Id,LoadState,ActiveState,Result,LastTriggerUSec'
  const args = ['show', `--property=${properties}`, '--timestamp=unix', ...units]
  const { stdout } = await run('systemctl', args, { env: { ...process.env, LC_ALL: 'C' }, ...(signal && { signal }) })
  return parseUnits(stdout)
}

/** `Key=value` lines, an empty line between two units. */
export function parseUnits(shown: string): UnitState[] {
  return shown
    .trim()
    .split(/\n{2,}/)
    .map((block) => Object.fromEntries(block.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)])))
    .flatMap((unit: Record<string, string>) => {
      const { Id: id, LoadState, ActiveState, Result: result, LastTriggerUSec } = unit
      const at = /^@(\d+)/.exec(LastTriggerUSec ?? '')?.[1]
      if (!id) return []
      return [
        {
          id,
          loaded: LoadState === 'loaded',
          active: ActiveState === 'active',
          ...(at === undefined || at === '0' ? {} : { lastRun: Number(at) * 1000 }),
          ...(result ? { result } : {}),
        },
      ]
    })
}
