/** `cis490-receiver prune`: takes stored episodes out on purpose, beside a receiver that works. Their receipts and rows stay. */
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { counted } from '@cis490/shared/counted.ts'
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { printable } from '@cis490/shared/printable.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { parseQuery, QueryFault } from '../core/episode-query.ts'
import { type Chosen, choose, type PruneChoice, type PruneRow, unclear } from '../core/prune.ts'
import { StoreLayout } from '../store/layout.ts'
import { lockPrunes, pruneEpisodes, removeArchives } from '../store/prune-episodes.ts'
import { Prunes } from '../store/prunes.ts'
import { isThere } from '../store/quarantine.ts'
import { readTaints } from '../store/taints.ts'
import { indexRows } from './index-rows.ts'
import { whoAsks } from './who.ts'

interface PruneOptions extends CommonOptions {
  readonly before?: string
  readonly tainted?: true
  readonly ids?: string
  readonly host?: string
  readonly reason: string
  readonly dryRun?: true
  readonly yes?: true
}

export function registerPrune(program: Command): void {
  addCommand(program, 'prune', 'take stored episodes out, by age, by taint or by id; their receipts stay', defaultConfigFile)
    .requiredOption('--reason <text>', 'why; written down with who and when before anything goes')
    .option('--before <time>', 'received before: 2026-11-01, 2026-11-01T12:00:00Z, or 90d for that long ago')
    .option('--tainted', 'those that a taint stands against')
    .option('--ids <ids>', 'these, separated by commas')
    .option('--host <name>', 'of this host only')
    .option('--dry-run', 'say what would go, write nothing')
    .option('--yes', 'do not ask')
    .action(run)
}

async function run(options: PruneOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const layout = new StoreLayout(config.state_dir)
  if (!existsSync(config.state_dir)) throw new UserError(`state_dir: ${config.state_dir} is not there; see ${options.config}`)
  const reason = printable(options.reason).trim()
  if (reason === '') throw new UserError('--reason must say something', exit.usage)
  const choice = await choiceOf(options, layout)
  using lock = options.dryRun ? undefined : lockPrunes(layout)
  if (!lock && !options.dryRun) throw new UserError('another command prunes or repairs this store: try again when it has ended')
  const prunes = new Prunes(layout)
  await prunes.refresh()
  // What a killed prune has written down and not done.
  const finished = options.dryRun ? 0 : await removeArchives(layout, prunes.rows())
  const { chosen, gone } = await select(layout, choice, prunes)
  if (choice.ids) refuseUnclear(choice.ids, [...chosen, ...gone])
  const bytes = chosen.reduce((sum, one) => sum + one.bytes, 0)
  const pruned = chosen.length > 0 && !options.dryRun && (options.yes === true || (await agreed(chosen, bytes)))
  if (pruned) await prune(layout, chosen, reason)
  const outcome = { pruned: pruned ? chosen.length : 0, bytes: pruned ? bytes : 0, finished }
  if (options.json)
    printJson({ ...outcome, chosen: chosen.map(({ host, id, sha256, bytes: size }) => ({ host, id, sha256, bytes: size })) })
  else process.stdout.write(describe(chosen, bytes, outcome, options.dryRun === true))
  process.exitCode = exit.clean
}

async function choiceOf(options: PruneOptions, layout: StoreLayout): Promise<PruneChoice> {
  const { before, tainted, ids } = options
  if (before === undefined && !tainted && ids === undefined)
    throw new UserError('say what goes: --before TIME, --tainted or --ids ID,...', exit.usage)
  const host = options.host === undefined ? undefined : HostName.safeParse(options.host)
  if (host && !host.success) throw new UserError(`--host ${options.host}: ${host.error.issues[0]?.message}`, exit.usage)
  const list = ids?.split(',').filter(Boolean)
  if (list?.length === 0) throw new UserError('--ids names no id', exit.usage)
  return {
    ...(before !== undefined && { before: parseTime(before) }),
    ...(tainted && { tainted: await taintCheck(layout) }),
    ...(list && { ids: new Set(list) }),
    ...(host && { host: host.data }),
  }
}

function parseTime(text: string): number {
  try {
    return parseQuery({ until: text }, Date.now()).until ?? 0
  } catch (error) {
    if (error instanceof QueryFault) throw new UserError(`--${error.message.replace('until', 'before')}`, exit.usage)
    throw error
  }
}

async function taintCheck(layout: StoreLayout): Promise<NonNullable<PruneChoice['tainted']>> {
  const { taints, damaged } = await readTaints(layout)
  // A cleared taint may be lost in such a line: then this would take out what is good.
  if (damaged.length > 0) throw new UserError(`taints.jsonl: line ${damaged.join(', ')} is damaged; mend it first`)
  return (row) => taints.of(row) !== undefined
}

/** @returns those that are there to go, and those that went before */
async function select(layout: StoreLayout, choice: PruneChoice, prunes: Prunes): Promise<{ chosen: Chosen[]; gone: Chosen[] }> {
  const chosen = new Map<string, Chosen>()
  const gone: Chosen[] = []
  for await (const row of indexRows(layout, 'looking')) {
    const one = choose(row, choice)
    if (!one) continue
    const there = !prunes.has(one) && (await isThere(layout.archive(one)))
    // Of two rows of one episode the later one speaks of what is there now.
    if (there) chosen.set(`${one.host}/${one.id}`, one)
    else gone.push(one)
  }
  return { chosen: [...chosen.values()], gone }
}

function refuseUnclear(ids: ReadonlySet<string>, found: readonly Chosen[]): void {
  const { unknown, ambiguous } = unclear(ids, found)
  if (unknown.length > 0)
    throw new UserError(`not stored: ${unknown.map(printable).join(', ')}; nothing was pruned`, exit.findings)
  if (ambiguous.length > 0)
    throw new UserError(`stored for several hosts: ${ambiguous.join(', ')}; say which with --host`, exit.usage)
}

async function agreed(chosen: readonly Chosen[], bytes: number): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UserError(
      `${counted(chosen.length, 'episode')} (${formatSize(bytes)}) would go; say --yes, or --dry-run to see them`,
      exit.usage,
    )
  using prompt = createInterface({ input: process.stdin, output: process.stderr })
  return (
    (
      await prompt.question(`prune ${counted(chosen.length, 'episode')} (${formatSize(bytes)}) for good? [y/N] `)
    ).toLowerCase() === 'y'
  )
}

async function prune(layout: StoreLayout, chosen: readonly Chosen[], reason: string): Promise<void> {
  const who = { at: timestamp(Date.now()), by: whoAsks(), reason }
  const rows = chosen.map(({ host, id, sha256, bytes }): PruneRow => ({ ...who, host, id, sha256, bytes }))
  const progress = makeProgress({ label: 'prune', total: rows.length, unit: 'count', stream: process.stderr })
  await pruneEpisodes(layout, rows, (done) => progress.update(done))
  progress.done()
}

const shown = 20

function describe(chosen: readonly Chosen[], bytes: number, done: { pruned: number; finished: number }, dryRun: boolean): string {
  const lines = chosen.slice(0, shown).map(({ host, id, bytes: size }) => `${host}/${id}  ${formatSize(size)}\n`)
  const hidden = chosen.length > shown ? `and ${chosen.length - shown} more\n` : ''
  const finished = done.finished > 0 ? `${done.finished} of an earlier prune were still there and are gone now\n` : ''
  const verb = dryRun ? 'would go' : done.pruned > 0 ? 'pruned' : 'chosen, nothing pruned'
  return `${lines.join('')}${hidden}${finished}${counted(chosen.length, 'episode')} (${formatSize(bytes)}) ${verb}\n`
}
