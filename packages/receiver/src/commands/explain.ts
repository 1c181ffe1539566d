/** `cis490-receiver explain ID`: what was decided about one episode, from the disk, beside a receiver that works. */

import type { Explanation } from '@cis490/shared/explain.ts'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { openStore } from './store-pass.ts'

export function registerExplain(program: Command): void {
  addCommand(program, 'explain <id>', 'everything that was decided about one episode', defaultConfigFile)
    .option('--host <name>', 'where several hosts have the id')
    .action(run)
}

async function run(text: string, options: CommonOptions & { host?: string }): Promise<void> {
  const id = EpisodeId.safeParse(text)
  if (!id.success) throw new UserError(`"${printable(text)}" is no episode id: ${id.error.issues[0]?.message}`, exit.usage)
  const host = options.host === undefined ? undefined : HostName.safeParse(options.host)
  if (host && !host.success) throw new UserError(`--host ${options.host}: ${host.error.issues[0]?.message}`, exit.usage)
  const explained = await openStore(options).explain(id.data, host?.data, true)
  if (explained.kind === 'several-hosts')
    throw new UserError(
      `${explained.hosts.length} hosts have ${text}, say --host: ${explained.hosts.slice(0, 20).join(' ')}`,
      exit.usage,
    )
  const { explanation } = explained
  if (options.json) printJson(explanation)
  else process.stdout.write(describe(explanation))
  process.exitCode = explanation.state === 'unknown' ? exit.findings : exit.clean
}

function describe({ id, host, state, events, notes, next }: Explanation): string {
  const lines = [
    `${host === undefined ? '' : `${host}/`}${id}: ${state}`,
    ...events.map(({ at, text }) => `  ${at.padEnd(24)}  ${text}`),
    ...notes.map((note) => `  note: ${note}`),
    `next: ${next}`,
  ]
  return `${lines.map(printable).join('\n')}\n`
}
