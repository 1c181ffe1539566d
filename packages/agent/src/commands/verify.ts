/** `cis490-agent verify RECEIPT [ARCHIVE]`, and `receipt ID`, which gives a receipt out for others to verify. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { signatureSuffix } from '@cis490/shared/export-manifest.ts'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { ed25519Pem, ed25519Verify } from '@cis490/shared/node/ed25519.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { type KnownKey, type ReceiptToVerify, type ReceiptVerdict, verifyReceipt } from '../core/verify-receipt.ts'
import { packEpisode } from '../episodes/pack.ts'
import { walkTree } from '../episodes/tree.ts'
import { ReceiptPins, readPublicKeys } from '../receipts/pins.ts'
import { findReceipt, readReceiptFile } from '../receipts/read-receipt.ts'
import { hashFile } from '../ship/hash.ts'
import { action, type CommandOptions, readConfig } from './context.ts'

interface VerifyOptions extends CommandOptions {
  readonly key?: string
}

export function registerVerify(program: Command): void {
  addCommand(
    program,
    'verify <receipt> [archive]',
    'did the receiver give this receipt, and is it about these bytes?',
    defaultConfigFile,
  )
    .option('--key <file>', 'public keys of the receiver (PEM) instead of those that this host believes; needs no configuration')
    .addHelpText(
      'after',
      '\nreceipt: an episode id, or a file: the receipt with its .sig beside it, or a row of receipts.jsonl\narchive: a .tar.zst, or the folder of the episode, which is packed for the comparison',
    )
    .action(action(runVerify))
  addCommand(program, 'receipt <id>', 'give out the receipt of a delivered episode', defaultConfigFile)
    .option('--out <dir>', 'write <id>.json, its signature <id>.json.sig and the public key <key id>.pem there')
    .action(action(runReceipt))
}

async function runVerify(what: string, archive: string | undefined, options: VerifyOptions): Promise<number> {
  const keys = options.key === undefined ? pinnedKeys(options) : readPublicKeys(options.key, '--key')
  const receipt = (await readReceiptFile(what)) ?? (await byId(what, options))
  if (!receipt) throw new UserError(`${printable(what)} is neither a file nor an episode with a receipt here`)
  const actual = archive === undefined ? undefined : await hashOf(archive)
  const verdict = verifyReceipt(receipt, keys, actual, ed25519Verify)
  if (options.json) printJson({ ...verdict, ...(actual !== undefined && { actual_sha256: actual }) })
  else process.stdout.write(`${describe(verdict, actual)}\n`)
  return verdict.verdict === 'valid' ? exit.clean : verdict.verdict === 'invalid' ? exit.findings : exit.undetermined
}

function pinnedKeys(options: CommandOptions): readonly KnownKey[] {
  const { paths, receiver } = readConfig(options)
  return new ReceiptPins(paths.state, receiver.receipt_keys_file).inForce
}

async function byId(text: string, options: VerifyOptions): Promise<ReceiptToVerify | undefined> {
  const id = EpisodeId.safeParse(text)
  return id.success && options.key === undefined ? await findReceipt(readConfig(options).paths.state, id.data) : undefined
}

/** Packing is deterministic: an unchanged folder gives the bytes that were shipped. */
async function hashOf(path: string): Promise<string> {
  try {
    if (!(await stat(path)).isDirectory()) return await hashFile(path)
    const folder = resolve(path)
    const temp = await mkdtemp(join(tmpdir(), 'cis490-verify-'))
    try {
      const job = { episodesDir: dirname(folder), id: EpisodeId.parse(basename(folder)), tree: await walkTree(folder) }
      return (await packEpisode({ ...job, partPath: join(temp, 'archive.part') })).sha256
    } finally {
      await rm(temp, { recursive: true, force: true })
    }
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${messageOf(error)}`)
  }
}

function describe(verdict: ReceiptVerdict, actual: string | undefined): string {
  if (verdict.verdict !== 'valid') return `${verdict.verdict}: ${verdict.detail}`
  const { id, host, received_at, sha256 } = verdict.receipt
  const compared = actual === undefined ? '' : ', the bytes agree'
  return `valid: signed by ${verdict.key}${compared}\n${host}/${id} sha256 ${sha256}, stored ${printable(received_at)}`
}

async function runReceipt(text: string, options: CommandOptions & { readonly out?: string }): Promise<number> {
  const { paths } = readConfig(options)
  const receipt = await findReceipt(paths.state, text)
  if (!receipt) throw new UserError(`there is no receipt for ${printable(text)} here`, exit.findings)
  const key = pinnedKeys(options).find(({ id }) => id === receipt.key)
  const files = options.out === undefined ? [] : await giveOut(options.out, text, receipt, key)
  if (options.json) printJson({ ...receipt, public_key: key?.public_key, files })
  else
    process.stdout.write(
      files.length > 0
        ? files.map((file) => `${file}\n`).join('')
        : `${process.stdout.isTTY ? printable(receipt.text) : receipt.text}\n`,
    )
  return exit.clean
}

async function giveOut(dir: string, id: string, receipt: ReceiptToVerify, key: KnownKey | undefined): Promise<string[]> {
  const path = join(dir, `${id}.json`)
  const files: [string, Uint8Array | string][] = [[path, receipt.text]]
  if (receipt.signature !== undefined) files.push([`${path}${signatureSuffix}`, Buffer.from(receipt.signature, 'base64')])
  if (key) files.push([join(dir, `${key.id}.pem`), ed25519Pem(key.public_key)])
  try {
    await makeDir(dir)
    for (const [file, bytes] of files) await replaceFile(file, bytes)
  } catch (error) {
    throw new UserError(`cannot write to ${dir}: ${messageOf(error)}`)
  }
  return files.map(([file]) => file)
}
