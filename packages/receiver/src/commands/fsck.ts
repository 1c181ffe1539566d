/** `cis490-receiver fsck`: does the index say what the store holds? Exit 0 clean, 1 findings or losses, 3 could not look. */
import { existsSync } from 'node:fs'
import { counted } from '@cis490/shared/counted.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeProgress, type Progress } from '@cis490/shared/node/progress.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { type Finding, findings } from '../core/finding.ts'
import type { RepairPlan } from '../core/repair-plan.ts'
import { Picture } from '../store/fsck/look.ts'
import type { HashPolicy } from '../store/fsck/look-episode.ts'
import { StoreLayout } from '../store/layout.ts'
import { readLosses } from '../store/losses.ts'
import { lockPrunes } from '../store/prune-episodes.ts'
import { lockStore, storeIsBusy } from '../store/store-lock.ts'
import { countArchives } from '../store/walk.ts'
import { describeFindings, describeLosses, describeNext, describeStep } from './fsck-text.ts'
import { planFor, type Repaired, rebuildIndex, repairStore } from './repair-store.ts'

interface FsckCommandOptions extends CommonOptions {
  readonly repair?: true
  readonly verifyHashes?: true
  readonly dryRun?: true
  readonly rebuildIndex?: true
}

export function registerFsck(program: Command): void {
  addCommand(program, 'fsck', 'hold the index against the store', defaultConfigFile)
    .option('--verify-hashes', 'read every archive and compare its SHA-256')
    .option('--repair', 'mend what can be mended, and write down what cannot')
    .option('--rebuild-index', 'write the index anew from the receipts')
    .option('--dry-run', 'say what --repair would do')
    .action(run)
}

async function run(options: FsckCommandOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const layout = new StoreLayout(config.state_dir)
  // A store that is not there is not a clean one.
  if (!existsSync(config.state_dir)) throw new UserError(`state_dir: ${config.state_dir} is not there; see ${options.config}`)
  if (existsSync(layout.restoring)) throw new UserError(`${config.state_dir} is only half restored: run the restore again`)
  if (options.dryRun) await dryRun(layout, options)
  else if (options.repair || options.rebuildIndex) await repair(layout, options)
  else await lookOnly(layout, options)
}

async function lookOnly(layout: StoreLayout, options: FsckCommandOptions): Promise<void> {
  const picture = await lookWithBar(layout, options.verifyHashes ? 'always' : 'never')
  await tell(layout, picture, options, { looked: true })
  process.exitCode = picture.findings().length === 0 ? exit.clean : exit.findings
}

async function dryRun(layout: StoreLayout, options: FsckCommandOptions): Promise<void> {
  const picture = await lookWithBar(layout, options.verifyHashes ? 'always' : 'doubtful')
  await tell(layout, picture, options, { looked: true, plan: planFor(layout, picture) })
  process.exitCode = picture.findings().length === 0 ? exit.clean : exit.findings
}

async function repair(layout: StoreLayout, options: FsckCommandOptions): Promise<void> {
  using lock = lockStore(layout)
  if (!lock) throw new UserError('stop cis490-receiver first: it works in this store')
  // A prune that is written down between the look and the verdict would be a loss.
  using prunes = lockPrunes(layout)
  if (!prunes) throw new UserError('a prune works in this store: try again when it has ended')
  const rebuilt = options.rebuildIndex ? await rebuildIndex(layout) : undefined
  const hashes = options.verifyHashes ? 'always' : options.repair ? 'doubtful' : 'never'
  const before = await lookWithBar(layout, hashes, false)
  const repaired = options.repair ? await repairStore(layout, before, barFor('repair')) : undefined
  // What was read a moment ago is not read again.
  const after = repaired ? await lookWithBar(layout, 'never', false) : before
  await tell(layout, after, options, { ...(repaired && { repaired, found: before.findings() }), ...(rebuilt && { rebuilt }) })
  process.exitCode = after.findings().length === 0 && !repaired?.lost.length ? exit.clean : exit.findings
}

async function lookWithBar(layout: StoreLayout, hashes: HashPolicy, beside = true): Promise<Picture> {
  const total = countArchives(layout)
  const progress = makeProgress({ label: 'fsck', total, unit: 'count', stream: process.stderr })
  const running = () => beside && storeIsBusy(layout)
  const picture = await Picture.take(layout, { hashes, running, onArchive: (done) => progress.update(done) })
  progress.done()
  return picture
}

function barFor(label: string): (done: number, total: number) => void {
  let bar: Progress | undefined
  return (done, total) => {
    bar ??= makeProgress({ label, total, unit: 'count', stream: process.stderr })
    bar.update(done)
    if (done === total) bar.done()
  }
}

interface More {
  /** Nothing was changed. */
  readonly looked?: true
  readonly found?: readonly Finding[]
  readonly plan?: RepairPlan
  readonly repaired?: Repaired
  readonly rebuilt?: { rows: number; index_before?: string }
}

async function tell(layout: StoreLayout, picture: Picture, options: FsckCommandOptions, more: More = {}): Promise<void> {
  const { archives, pruned, index } = picture
  const losses = (await readLosses(layout)).length
  const counts = { rows: index.lines, archives, pruned, losses }
  const now = picture.findings()
  if (options.json) {
    const explained = (found: readonly Finding[]) => found.map((one) => ({ ...one, ...findings[one.kind] }))
    const { found, plan, repaired, rebuilt } = more
    printJson({
      ...counts,
      findings: explained(now),
      ...(found && { found: explained(found) }),
      ...(plan && { plan: plan.steps }),
      ...(repaired && { repaired }),
      ...(rebuilt && { rebuilt }),
    })
    return
  }
  const recorded = losses === 0 ? '' : `, ${counted(losses, 'loss', 'losses')} on record`
  const kept = pruned === 0 ? '' : `, ${pruned} pruned`
  process.stdout.write(
    `${describeMore(more)}${describeFindings(now)}${counted(index.lines, 'row')}, ${counted(archives, 'archive')}${kept}, ${counted(now.length, 'finding')}${recorded}\n${more.looked ? describeNext(now, lostIn(picture), more.plan !== undefined) : ''}`,
  )
}

function lostIn({ ill }: Picture): number {
  return [...ill.values()].filter(({ verdict }) => verdict.mend.do === 'lose').length
}

function describeMore({ found, plan, repaired, rebuilt }: More): string {
  const old = repaired?.index_before ?? rebuilt?.index_before
  // A receipt that could not be made is told as a loss.
  const lost = new Set(repaired?.lost.map(({ host, id }) => `${host}/${id}`))
  const done = repaired?.steps.filter((step) => step.do !== 'backfill' || !lost.has(`${step.key.host}/${step.key.id}`))
  return [
    describeLosses(repaired?.lost ?? []),
    rebuilt ? `index written anew from the receipts: ${counted(rebuilt.rows, 'row')}\n` : '',
    found?.length ? `found:\n${describeFindings(found)}` : '',
    ...(plan?.steps.map((step) => `would ${describeStep(step)}\n`) ?? []),
    ...(done?.map((step) => `${describeStep(step, true, repaired?.index_before)}\n`) ?? []),
    repaired || old === undefined ? '' : `the old index is ${old}\n`,
  ].join('')
}
