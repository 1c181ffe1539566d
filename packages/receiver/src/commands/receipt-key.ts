/** `cis490-receiver receipt-key create|show`: the keys that sign receipts. */
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { ed25519Pem } from '@cis490/shared/node/ed25519.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { createKeyFile, rotateKeyFile } from '../receipts/key-file.ts'
import { ReceiptSigner } from '../receipts/signer.ts'

interface CreateOptions extends CommonOptions {
  readonly out?: string
  readonly rotate?: true
}

export function registerReceiptKey(program: Command): void {
  const keys = program.command('receipt-key').description('the keys that sign receipts')
  addCommand(keys, 'create', 'make one, in receipts.key_file', defaultConfigFile)
    .option('--out <file>', 'write it there instead')
    .option('--rotate', 'put it in front of the keys that are there, which vouch for it')
    .action(create)
  addCommand(keys, 'show', 'the public keys in PEM form, for hosts and auditors', defaultConfigFile).action(show)
}

async function create(options: CreateOptions): Promise<void> {
  const path = options.out ?? loadConfig(options.config, ReceiverConfig).receipts.key_file
  if (path === '') throw new UserError('receipts.key_file is not set: set it, or name a file with --out', exit.usage)
  const make = options.rotate ? rotateKeyFile : createKeyFile
  const made = await make(path).catch((error: unknown) => {
    throw new UserError(`cannot write ${path}: ${messageOf(error)}`)
  })
  if (!made && options.rotate) throw new UserError(`${path} is not there: leave --rotate out to make it`)
  if (!made) throw new UserError(`${path} is there already; --rotate puts a new key in front of those in it`)
  const [current] = new ReceiptSigner(path).keys().keys
  if (options.json) printJson({ file: path, key: current?.id, rotated: options.rotate === true })
  else process.stdout.write(`key ${current?.id} in ${path}\nit signs after: systemctl reload cis490-receiver\n`)
}

function show(options: CommonOptions): void {
  const { key_file } = loadConfig(options.config, ReceiverConfig).receipts
  if (key_file === '') throw new UserError('receipts.key_file is not set: receipts are not signed', exit.findings)
  const { keys } = new ReceiptSigner(key_file).keys()
  if (options.json) printJson({ keys })
  else for (const { public_key } of keys) process.stdout.write(ed25519Pem(public_key))
}
