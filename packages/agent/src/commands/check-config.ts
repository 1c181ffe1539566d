/** `cis490-agent check-config`: the effective configuration, defaults included, sizes in bytes and durations in milliseconds. A mistake is told with file and line, exit 78. */
import { addCommand, exit, printJson } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { action, type CommandOptions, readConfig } from './context.ts'

export function registerCheckConfig(program: Command): void {
  addCommand(program, 'check-config', 'print the effective configuration', defaultConfigFile).action(action(checkConfig))
}

async function checkConfig(options: CommandOptions): Promise<number> {
  printJson(readConfig(options))
  return exit.clean
}
