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
  const args = ['show', `--property=${properties}`, ...units]
  // Older ones cannot print seconds since 1970, all of them print UTC where that is the zone.
  const { stdout } = await run('systemctl', args, { env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' }, ...(signal && { signal }) })
  return parseUnits(stdout)
}

/** `Key=value` lines, an empty line between two units; a time is like `Sat 2026-11-21 23:12:47 UTC`, or empty. */
export function parseUnits(shown: string): UnitState[] {
  return shown
    .trim()
    .split(/\n{2,}/)
    .map((block) => Object.fromEntries(block.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)])))
    .flatMap((unit: Record<string, string>) => {
      const { Id: id, LoadState, ActiveState, Result: result, LastTriggerUSec } = unit
      const [, day, time] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(LastTriggerUSec ?? '') ?? []
      if (!id) return []
      return [
        {
          id,
          loaded: LoadState === 'loaded',
          active: ActiveState === 'active',
          ...(day === undefined ? {} : { lastRun: Date.parse(`${day}T${time}Z`) }),
          ...(result ? { result } : {}),
        },
      ]
    })
}
