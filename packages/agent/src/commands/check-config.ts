/** `cis490-agent check-config`: the effective configuration, defaults included, sizes in bytes and durations in milliseconds. What `run` would refuse is told here, the files of certificate, key, CA and token included: exit 78. */
import { addCommand, exit, printJson } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { loadIdentity } from '../ship/identity.ts'
import { action, type CommandOptions, readConfig } from './context.ts'

export function registerCheckConfig(program: Command): void {
  addCommand(program, 'check-config', 'print the effective configuration', defaultConfigFile).action(action(checkConfig))
}

async function checkConfig(options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  loadIdentity(config.receiver, config.host.name)
  printJson(config)
  return exit.clean
}
