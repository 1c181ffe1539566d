/** `cis490-receiver taint`: says what is wrong with stored episodes, beside a receiver that works. No row and no archive is touched. */
import { existsSync } from 'node:fs'
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { makeLogger } from '@cis490/shared/node/log.ts'
import { printable } from '@cis490/shared/printable.ts'
import { TaintRow } from '@cis490/shared/taint.ts'
import { type Command, Option } from 'commander'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { EffectCount, shouldWrite } from '../core/taint-effect.ts'
import { chooseTarget, parseTarget, type Target, type TargetKind } from '../core/taint-target.ts'
import { commitRange } from '../forge/commit-range.ts'
import { RulesFile } from '../forge/rules-files.ts'
import { StoreLayout } from '../store/layout.ts'
import { appendTaint, lockTaints, readTaints } from '../store/taints.ts'
import { indexRows } from './index-rows.ts'
import { describeTaint } from './taint-text.ts'
import { whoAsks } from './who.ts'

interface TaintOptions extends CommonOptions {
  readonly reason: string
  readonly host?: string
  readonly by?: string
  readonly as?: TargetKind
  readonly undo?: true
  readonly dryRun?: true
}

/** What the statement is about, as it goes into the row. */
type About = Pick<TaintRow, 'kind' | 'value' | 'commits' | 'id'>

export function registerTaint(program: Command): void {
  addCommand(program, 'taint <what>', 'mark stored episodes as bad: of a commit, a range A..B, or one id', defaultConfigFile)
    .requiredOption('--reason <text>', 'why; shown wherever the taint is')
    .option('--host <name>', 'episodes of this host only')
    .option('--by <name>', 'who says so; default: the user')
    .addOption(new Option('--as <kind>', 'what <what> is, where it could be two things').choices(['commit', 'range', 'id']))
    .option('--undo', 'take back what was said before')
    .option('--dry-run', 'say what it would touch, write nothing')
    .action(run)
}

async function run(what: string, options: TaintOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const layout = new StoreLayout(config.state_dir)
  if (!existsSync(config.state_dir)) throw new UserError(`state_dir: ${config.state_dir} is not there; see ${options.config}`)
  const target = parseTarget(what, options.as)
  if (target.kind === 'invalid') throw new UserError(target.detail, exit.usage)
  const common = statement(options)
  using lock = options.dryRun ? undefined : lockTaints(layout)
  if (!lock && !options.dryRun) throw new UserError('another command is writing taints; try again in a moment')
  const about = target.kind === 'range' ? await ofRange(what, target, config) : await ofWord(what, target, common.host, layout)
  const row = TaintRow.parse({ at: timestamp(Date.now()), ...about, ...common })
  const { rows, damaged } = await readTaints(layout)
  if (damaged.length > 0)
    process.stderr.write(`warning: taints.jsonl: line ${damaged.join(', ')} is damaged; a taint may be lost in it\n`)
  const count = new EffectCount(rows, row)
  for await (const episode of indexRows(layout, 'counting')) count.look(episode)
  const { effect } = count
  const verdict = shouldWrite(rows, row, effect)
  const written = verdict === 'write' && !options.dryRun
  if (written) await appendTaint(layout, row)
  if (options.json) printJson({ written, verdict, row, ...effect })
  else process.stdout.write(describeTaint(row, effect, verdict, options.dryRun === true) + advice(row, written, config))
  process.exitCode = verdict === 'nothing-to-undo' ? exit.findings : exit.clean
}

function statement(options: TaintOptions): Pick<TaintRow, 'reason' | 'by' | 'host' | 'state'> {
  const reason = printable(options.reason).trim()
  const by = printable(options.by ?? whoAsks()).trim()
  if (reason === '') throw new UserError('--reason must say something', exit.usage)
  if (by === '') throw new UserError('--by must name somebody', exit.usage)
  const host = options.host === undefined ? undefined : HostName.safeParse(options.host)
  if (host && !host.success) throw new UserError(`--host ${options.host}: ${host.error.issues[0]?.message}`, exit.usage)
  return { ...(host && { host: host.data }), state: options.undo ? 'cleared' : 'tainted', reason, by }
}

async function ofRange(what: string, target: Extract<Target, { kind: 'range' }>, config: ReceiverConfig): Promise<About> {
  const { commits } = await commitRange(config.version_gate, target).catch((error: unknown) => {
    throw new UserError(`cannot tell which commits ${what} has: ${messageOf(error)}`)
  })
  if (commits.length === 0)
    throw new UserError(`${what} has no commits: ${target.from} has all that ${target.to} has. Turned round?`, exit.usage)
  return { kind: 'range', value: what, commits: [...commits] }
}

async function ofWord(
  what: string,
  target: Extract<Target, { kind: 'word' }>,
  host: TaintRow['host'],
  layout: StoreLayout,
): Promise<About> {
  const [commits, hosts] = [new Set<string>(), new Set<string | undefined>()]
  for await (const row of indexRows(layout, 'looking')) {
    const commit = row.commit?.toLowerCase()
    if (commit !== undefined && target.prefix !== undefined && commit.startsWith(target.prefix)) commits.add(commit)
    if (row.id === target.id) hosts.add(row.host)
  }
  const chosen = chooseTarget(what, target, { commits, hosts }, host)
  if (chosen.kind === 'id') return { kind: 'id', value: chosen.id, id: chosen.id }
  if (chosen.kind === 'commit') return { kind: 'commit', value: chosen.commit, commits: [chosen.commit] }
  throw new UserError(chosen.detail, chosen.kind === 'unknown' ? exit.findings : exit.usage)
}

/** A taint speaks of what was recorded; only the deny list keeps more of it out. */
function advice(row: TaintRow, written: boolean, config: ReceiverConfig): string {
  if (!written || row.state === 'cleared' || row.kind === 'id') return ''
  const denied = RulesFile.deny(config.version_gate.deny_file, makeLogger(process.stderr)).current()
  const open = (row.commits ?? []).filter((commit) => !denied.some((denial) => denial.commit === commit))
  if (open.length === 0) return ''
  return `new episodes of ${open.length === 1 ? 'this commit' : `${open.length} of these commits`} still come in: see version_gate.deny_file\n`
}
