/** `cis490-agent outbox list|show|release|drop`: a person's hand on the archives that wait. */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { readEntry } from '../outbox/read.ts'
import { readRecords, Tombstone } from '../outbox/records.ts'
import { readRefused, refusedCode, writeRefused } from '../outbox/refused.ts'
import { type AgentContext, action, type CommandOptions, readConfig, withOutbox } from './context.ts'
import { drawTable, readRows } from './outbox-view.ts'

export function registerOutbox(program: Command): void {
  const outbox = program.command('outbox').description('look at the archives that wait, and decide about them')
  const add = (usage: string, summary: string) => addCommand(outbox, usage, summary, defaultConfigFile)
  add('list', 'every archive that waits').action(action(runList))
  add('show <id>', 'all that is known of one').action(action(runShow))
  add('release <id...>', 'try gated or quarantined ones again, at once').action(action(runRelease))
  add('drop <id>', 'give one up; leaves a tombstone')
    .requiredOption('--reason <text>', 'why; kept in the tombstone')
    .action(action(runDrop))
  add('tombstones', 'what was given up, why and by whom').action(action(runTombstones))
}

async function runTombstones(options: CommandOptions): Promise<number> {
  const { paths } = readConfig(options)
  const rows = (await readRecords(join(paths.state, 'tombstones.jsonl'), Tombstone)).values()
  const tombstones = [...rows].toSorted((a, b) => (a.at < b.at ? -1 : 1))
  if (options.json) printJson({ tombstones })
  else if (tombstones.length === 0) process.stdout.write('nothing was given up\n')
  else
    for (const { at, id, by, what, reason } of tombstones)
      process.stdout.write(`${printable(`${at}  ${id}  ${what ?? 'episode'}  by ${by}: ${reason}`)}\n`)
  return exit.clean
}

async function runList(options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  const rows = await readRows(config)
  if (options.json) printJson({ entries: rows })
  else process.stdout.write(await drawTable(config, rows, Date.now()))
  return exit.clean
}

async function runShow(text: string, options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  const id = parseId(text)
  const entry = await readEntry(config.paths.outbox, id)
  const refused = (await readRefused(config.paths.state)).find((one) => one.id === id)
  const folder = join(config.paths.episodes, id)
  if (entry === undefined && refused === undefined) throw unknown(id)
  const shown = entry
    ? { ...entry, archive: join(config.paths.outbox, `${id}.tar.zst`), folder }
    : { ...refused, lane: 'quarantine', last: { status: 0, code: refusedCode }, folder }
  if (options.json) printJson(shown)
  else for (const [key, value] of Object.entries(shown)) process.stdout.write(`${key.padEnd(14)} ${printable(textOf(value))}\n`)
  return exit.clean
}

async function runRelease(texts: string[], options: CommandOptions): Promise<number> {
  const ids = texts.map(parseId)
  return withOutbox(options, async (context) => {
    const released: EpisodeId[] = []
    for (const id of ids) {
      const entry = await context.outbox.find(id)
      if (entry === undefined && !(await forgetRefused(context, id))) throw unknown(id)
      if (entry) {
        const { next_at: _, ...rest } = entry
        await context.outbox.update({ ...rest, lane: 'ready' })
      }
      released.push(id)
    }
    if (options.json) printJson({ released })
    else for (const id of released) process.stdout.write(`released ${id}\n`)
    return exit.clean
  })
}

async function runDrop(text: string, options: CommandOptions & { readonly reason: string }): Promise<number> {
  const id = parseId(text)
  if (options.reason.trim() === '') throw new UserError('--reason is empty; say why the episode is given up', exit.usage)
  return withOutbox(options, async (context) => {
    const by = process.env['SUDO_USER'] || userInfo().username
    if (!(await context.outbox.drop(id, options.reason, by))) {
      if (!(await readRefused(context.config.paths.state)).some((one) => one.id === id)) throw unknown(id)
      await context.outbox.bury({ id, reason: options.reason, by })
      await forgetRefused(context, id)
    }
    context.log.warn({ event: 'dropped', id, reason: options.reason, by }, 'a person gave an episode up')
    const folder = join(context.config.paths.episodes, id)
    if (options.json) printJson({ dropped: id, reason: options.reason, by, folder })
    else process.stdout.write(`dropped ${id}\nits folder, if it is still there, stays and is never packed again: ${folder}\n`)
    return exit.clean
  })
}

/** The next scan tries it again, whatever its folder looks like. @returns false when it was not refused */
async function forgetRefused({ config }: AgentContext, id: EpisodeId): Promise<boolean> {
  const refused = await readRefused(config.paths.state)
  await writeRefused(
    config.paths.state,
    refused.filter((one) => one.id !== id),
  )
  return refused.some((one) => one.id === id)
}

function parseId(text: string): EpisodeId {
  const id = EpisodeId.safeParse(text)
  if (id.success) return id.data
  throw new UserError(`"${printable(text)}" is no episode id: ${id.error.issues[0]?.message}`, exit.usage)
}

function unknown(id: EpisodeId): UserError {
  return new UserError(`${id} is not in the outbox; "cis490-agent outbox list" shows what is`, exit.findings)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
