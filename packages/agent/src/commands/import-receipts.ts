/** `cis490-agent import-receipts DIR`: what the receiver gave to carry back settles the entries, as the answer to an upload does. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { receiptKeysName, receiptName, receiptsFolder } from '@cis490/shared/export-manifest.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { formatReceiptSignature, ReceiptKeys } from '@cis490/shared/receipt-signature.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { type CarriedVerdict, judgeCarried } from '../core/carried-receipt.ts'
import { newKeys, type PinnedKey } from '../core/receipt-trust.ts'
import type { Entry } from '../outbox/entry.ts'
import { arithmetic, ReceiptPins } from '../receipts/pins.ts'
import { readReceiptFile } from '../receipts/read-receipt.ts'
import { loadIdentity } from '../ship/identity.ts'
import { HostFolder } from '../stick/stick.ts'
import { type AgentContext, action, type CommandOptions, withOutbox } from './context.ts'
import { finishDelivered } from './finish-delivered.ts'

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
  readonly delivered: string[]
  /** A receipt that proves nothing here. */
  readonly refused: { id: string; code: string; detail: string }[]
  /** In the outbox, and no receipt on the stick. */
  readonly without_receipt: string[]
}

async function run(dir: string, options: Options): Promise<number> {
  return await withOutbox(options, (context) => settleAll(dir, options, context)).catch((error: unknown) => {
    if (error instanceof UserError && error.message.includes('is at work'))
      throw new UserError(
        'stop cis490-orchestrator first (sudo systemctl stop cis490-orchestrator), and start it again afterwards',
      )
    throw error
  })
}

async function settleAll(dir: string, options: Options, context: AgentContext): Promise<number> {
  const { config, outbox } = context
  const { host } = loadIdentity(config.receiver, config.host.name)
  const pins = new ReceiptPins(config.paths.state, config.receiver.receipt_keys_file)
  const offered = await offeredKeys(dir)
  const fresh = pins.inForce.length > 0 && offered ? newKeys(offered, pins.inForce, arithmetic) : []
  const believed = [...pins.inForce, ...fresh]
  const entries = await outbox.entries()
  const names = await fileNames(dir, host, entries)
  const done: Settled = { host, delivered: [], refused: [], without_receipt: [] }
  const progress = makeProgress({ label: 'receipts', total: entries.length, unit: 'count', stream: process.stderr })
  for (const [k, entry] of entries.entries()) {
    const receipt = await readReceiptFile(
      join(dir, receiptsFolder, host, receiptName(names.get(entry.id) ?? `${entry.id}.tar.zst`)),
    )
    const verdict = receipt
      ? judgeCarried(entry, host, receipt, believed, options.trustUnsigned === true, arithmetic)
      : ({ verdict: 'absent' } as const)
    await settleOne(context, pins, fresh, entry, verdict, done)
    progress.update(k + 1)
  }
  progress.done()
  if (options.json) printJson(done)
  else process.stdout.write(describe(done))
  if (done.refused.length > 0) return exit.findings
  return done.without_receipt.length > 0 ? exit.undetermined : exit.clean
}

/** What the receiver says of its keys; only what a pinned one vouches for counts. */
async function offeredKeys(dir: string): Promise<ReceiptKeys | undefined> {
  const text = await readFile(join(dir, receiptsFolder, receiptKeysName), 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return ''
    throw new UserError(`cannot read ${dir}: ${messageOf(error)}`)
  })
  return ReceiptKeys.safeParse(parseObject(text)).data
}

/** A file on the stick may have another name than its id. */
async function fileNames(dir: string, host: string, entries: readonly Entry[]): Promise<Map<string, string>> {
  const read = await HostFolder.read(dir, host)
  const named = read && 'manifest' in read ? read.manifest.entries : []
  const own = new Map(entries.map(({ id, sha256 }) => [id as string, sha256 as string]))
  return new Map(named.filter(({ id, sha256 }) => own.get(id) === sha256).map(({ id, file }) => [id, file]))
}

async function settleOne(
  context: AgentContext,
  pins: ReceiptPins,
  fresh: readonly PinnedKey[],
  entry: Entry,
  verdict: CarriedVerdict | { readonly verdict: 'absent' },
  done: Settled,
): Promise<void> {
  const { outbox, log, now } = context
  if (verdict.verdict === 'absent') {
    done.without_receipt.push(entry.id)
    return
  }
  if (verdict.verdict === 'refused') {
    log.error(
      { event: 'alarm', id: entry.id, code: verdict.code, detail: verdict.detail },
      'a carried receipt proves nothing; the episode stays',
    )
    done.refused.push({ id: entry.id, code: verdict.code, detail: verdict.detail })
    return
  }
  const { text, signed } = verdict
  const signer = fresh.find(({ id }) => id === signed?.key)
  if (signer) await pins.add(fresh, timestamp(now()))
  await outbox.settleDelivered(entry, text, signed && formatReceiptSignature(signed))
  log.info({ event: 'delivered', id: entry.id, bytes: entry.bytes, by: 'stick' }, 'episode delivered')
  await finishDelivered(context, [entry.id])
  done.delivered.push(entry.id)
}

function describe({ host, delivered, refused, without_receipt }: Settled): string {
  const lines = refused.map(({ id, code, detail }) => `refused ${id}: ${code}: ${detail}\n`).join('')
  return `${lines}${host}: ${delivered.length} delivered, ${refused.length} refused, ${without_receipt.length} without a receipt on the stick\n`
}
