/** `cis490-agent import-receipts DIR`: what the receiver gave to carry back is verified, then settled here or by the running agent. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { receiptKeysName, receiptName, receiptsFolder } from '@cis490/shared/export-manifest.ts'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import { formatReceiptSignature, ReceiptKeys } from '@cis490/shared/receipt-signature.ts'
import type { Command } from 'commander'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import { judgeCarried } from '../core/carried-receipt.ts'
import { newKeys } from '../core/receipt-trust.ts'
import type { Entry } from '../outbox/entry.ts'
import { readEntries } from '../outbox/read.ts'
import { arithmetic, ReceiptPins } from '../receipts/pins.ts'
import { readIfThere, readReceiptFile } from '../receipts/read-receipt.ts'
import { putCarried } from '../receipts/spool.ts'
import { loadIdentity } from '../ship/identity.ts'
import { HostFolder } from '../stick/stick.ts'
import { AgentAtWork, action, type CommandOptions, readConfig, withOutbox } from './context.ts'
import { mustOwn } from './folders.ts'
import { settleCarried } from './settle-carried.ts'

interface Options extends CommandOptions {
  readonly trustUnsigned?: true
}

export function registerImportReceipts(program: Command): void {
  addCommand(program, 'import-receipts <dir>', 'settle what an export has delivered', defaultConfigFile)
    .option('--trust-unsigned', 'where no receipt key was ever seen: believe the stick')
    .action(action(run))
}

interface Settled {
  readonly host: string
  readonly delivered: EpisodeId[]
  /** Verified, and settled by the running agent at its next turn. */
  readonly handed_over: EpisodeId[]
  /** A receipt that proves nothing here. */
  readonly refused: { id: string; code: string; detail: string }[]
  /** In the outbox, and no receipt on the stick. */
  readonly without_receipt: string[]
}

async function run(dir: string, options: Options): Promise<number> {
  const config = readConfig(options)
  const folder = await stat(dir).catch(() => undefined)
  if (!folder?.isDirectory()) throw new UserError(`${dir} is no folder; is the stick mounted?`)
  await mustOwn(config.paths.state)
  const pins = new ReceiptPins(config.paths.state, config.receiver.receipt_keys_file)
  const done = await verifyAll(dir, config, pins, options.trustUnsigned === true)
  if (done.handed_over.length > 0) await settleNow(options, pins, done)
  if (options.json) printJson(done)
  else process.stdout.write(describe(done))
  if (done.refused.length > 0) return exit.findings
  return done.without_receipt.length > 0 ? exit.undetermined : exit.clean
}

async function verifyAll(dir: string, config: AgentConfig, pins: ReceiptPins, trustUnsigned: boolean): Promise<Settled> {
  const { host } = loadIdentity(config.receiver, config.host.name)
  const believed = pins.inForce
  const offered = await offeredKeys(dir)
  // Trust on first use is for a connection that proves itself; a stick does not.
  const keys = believed.length > 0 && offered ? newKeys(offered, believed, arithmetic) : []
  const entries = await readEntries(config.paths.outbox)
  const names = await fileNames(dir, host, entries)
  const done: Settled = { host, delivered: [], handed_over: [], refused: [], without_receipt: [] }
  const progress = makeProgress({ label: 'receipts', total: entries.length, unit: 'count', stream: process.stderr })
  for (const [k, entry] of entries.entries()) {
    const file = names.get(entry.id) ?? `${entry.id}${archiveSuffix}`
    const receipt = await readReceiptFile(join(dir, receiptsFolder, host, receiptName(file)))
    const verdict = receipt && judgeCarried(entry, host, receipt, [...believed, ...keys], trustUnsigned, arithmetic)
    if (!verdict) done.without_receipt.push(entry.id)
    else if (verdict.verdict === 'refused') done.refused.push({ id: entry.id, code: verdict.code, detail: verdict.detail })
    else {
      const signature = verdict.signed && formatReceiptSignature(verdict.signed)
      const used = keys.some(({ id }) => id === verdict.signed?.key) ? keys : []
      const carried = { id: entry.id, text: verdict.text, keys: used.map((key) => ({ ...key, vouched_by: [...key.vouched_by] })) }
      await putCarried(config.paths.state, { ...carried, ...(signature !== undefined && { signature }) })
      done.handed_over.push(entry.id)
    }
    progress.update(k + 1)
  }
  progress.done()
  return done
}

/** By this process, where no agent runs; else it has been handed over already. */
async function settleNow(options: Options, pins: ReceiptPins, done: Settled): Promise<void> {
  try {
    const settled = await withOutbox(options, (context) => {
      // Another process may have pinned a key until it gave the lock back.
      pins.reload()
      return settleCarried(context, pins)
    })
    done.delivered.push(...settled)
    done.handed_over.splice(0, done.handed_over.length, ...done.handed_over.filter((id) => !settled.includes(id)))
  } catch (error) {
    if (!(error instanceof AgentAtWork)) throw error
  }
}

/** What the receiver says of its keys; only what a believed one vouches for counts. */
async function offeredKeys(dir: string): Promise<ReceiptKeys | undefined> {
  const text = await readIfThere(join(dir, receiptsFolder, receiptKeysName)).catch((error: unknown) => {
    throw new UserError(`cannot read ${dir}: ${messageOf(error)}`)
  })
  return ReceiptKeys.safeParse(parseObject(text?.toString('utf8') ?? '')).data
}

/** A file on the stick may have another name than its id. */
async function fileNames(dir: string, host: string, entries: readonly Entry[]): Promise<Map<string, string>> {
  const read = await HostFolder.read(dir, host)
  const named = read && 'manifest' in read ? read.manifest.entries : []
  const own = new Map(entries.map(({ id, sha256 }) => [id as string, sha256 as string]))
  return new Map(named.filter(({ id, sha256 }) => own.get(id) === sha256).map(({ id, file }) => [id, file]))
}

function describe({ host, delivered, handed_over, refused, without_receipt }: Settled): string {
  const lines = refused.map(({ id, code, detail }) => `refused ${id}: ${code}: ${detail}\n`).join('')
  const handed =
    handed_over.length > 0 ? `, ${handed_over.length} handed to the running agent, which settles them in a moment` : ''
  return `${lines}${host}: ${delivered.length} delivered${handed}, ${refused.length} refused, ${without_receipt.length} without a receipt on the stick\n`
}
