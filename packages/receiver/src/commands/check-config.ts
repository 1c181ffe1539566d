/** `cis490-receiver check-config`: the effective configuration, or what is wrong with it. */
import { addCommand, type CommonOptions, printJson } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { checkExposure, readClientCa, readTls } from '../material.ts'

export function registerCheckConfig(program: Command): void {
  addCommand(program, 'check-config', 'print the effective configuration, or what is wrong with it', defaultConfigFile).action(
    checkConfig,
  )
}

function checkConfig(options: CommonOptions): void {
  const config = loadConfig(options.config, ReceiverConfig)
  checkExposure(config)
  readTls(config, Date.now())
  readClientCa(config)
  printJson(config)
}
