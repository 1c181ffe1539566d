/** `cis490-fleet check-config`: the effective configuration, defaults included. */
import { addCommand, exit, printJson } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import type { Command } from 'commander'
import { defaultConfigFile, FleetConfig } from '../config.ts'

export function registerCheckConfig(program: Command): void {
  addCommand(program, 'check-config', 'print the effective configuration', defaultConfigFile).action(
    (options: { config: string; json?: true }) => {
      process.exitCode = checkConfigCommand(options)
    },
  )
}

export function checkConfigCommand({ config, json }: { config: string; json?: true }): number {
  const { monitor, ...top } = loadConfig(config, FleetConfig)
  const durations = Object.fromEntries(Object.entries(monitor).map(([key, ms]) => [key, durationWord(ms)]))
  if (json) printJson({ ...top, monitor: durations })
  else process.stdout.write([...tomlLines(top), '', '[monitor]', ...tomlLines(durations), ''].join('\n'))
  return exit.clean
}

/** JSON strings and lists of strings are TOML too. */
function tomlLines(table: object): string[] {
  return Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
}

const units: [number, string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
]

/** The largest unit that loses nothing: 5_400_000 -> "90m". */
function durationWord(ms: number): string {
  const [size, unit] = units.find(([one]) => ms % one === 0) ?? [1, 'ms']
  return `${ms / size}${unit}`
}
