/** `cis490-receiver check-config`: the effective configuration, or what is wrong with it. */
import { existsSync } from 'node:fs'
import { addCommand, type CommonOptions, printJson } from '@cis490/shared/node/cli.ts'
import { loadConfig, readSecret } from '@cis490/shared/node/config-file.ts'
import { makeLogger } from '@cis490/shared/node/log.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { RulesFile } from '../forge/rules-files.ts'
import { BearerCheck } from '../http/bearer.ts'
import { PeerCheck } from '../http/peer.ts'
import { checkExposure, peerOptions, readTls } from '../material.ts'
import { ReceiptSigner } from '../receipts/signer.ts'

export function registerCheckConfig(program: Command): void {
  addCommand(program, 'check-config', 'print the effective configuration, or what is wrong with it', defaultConfigFile).action(
    checkConfig,
  )
}

function checkConfig(options: CommonOptions): void {
  const config = loadConfig(options.config, ReceiverConfig)
  checkExposure(config)
  // The receiver makes them when it starts.
  const unmade = config.ca !== undefined && !existsSync(config.ca.cert_file)
  if (!unmade) {
    readTls(config, Date.now())
    new PeerCheck(peerOptions(config))
  }
  if (config.version_gate.webhook_secret_file !== '')
    readSecret(config.version_gate.webhook_secret_file, 'version_gate.webhook_secret_file')
  new BearerCheck(config.auth.token_files)
  new ReceiptSigner(config.receipts.key_file)
  const log = makeLogger(process.stderr)
  RulesFile.deny(config.version_gate.deny_file, log, Date.now)
  RulesFile.waivers(config.version_gate.waivers_file, log, Date.now)
  printJson(config)
}
