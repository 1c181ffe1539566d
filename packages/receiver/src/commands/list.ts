/** `cis490-receiver list`: what is stored, without what is known to be bad or was taken out, unless asked. */
import { counted } from '@cis490/shared/counted.ts'
import { addCommand, type CommonOptions, exit } from '@cis490/shared/node/cli.ts'
import { printable } from '@cis490/shared/printable.ts'
import { formatSize } from '@cis490/shared/size.ts'
import { type Command, Option } from 'commander'
import { defaultConfigFile } from '../config.ts'
import type { QueryFields } from '../core/episode-query.ts'
import type { ListedEpisode } from '../store/episode-list.ts'
import { Output, printEpisodes } from './output.ts'
import { addFilters, queryOf } from './query-options.ts'
import { openStore, passOver } from './store-pass.ts'

type ListOptions = CommonOptions & QueryFields

export function registerList(program: Command): void {
  const command = addCommand(program, 'list', 'stored episodes, without tainted and pruned ones unless asked', defaultConfigFile)
  addFilters(command)
    .addOption(new Option('--tainted <which>', 'those that are marked as bad').choices(['exclude', 'include', 'only']))
    .addOption(new Option('--pruned <which>', 'those that were taken out').choices(['exclude', 'include', 'only']))
    .option('--limit <rows>', 'at most so many')
    .action(run)
}

async function run(options: ListOptions): Promise<void> {
  const query = queryOf(options)
  const { layout, known } = openStore(options)
  let tainted = 0
  const onTainted = () => {
    tainted += 1
  }
  const batches = episodesOf(passOver(layout, { query, known: await known(), label: 'list', onTainted }))
  const out = new Output()
  if (options.json) await printEpisodes(out, {}, batches)
  else {
    await printLines(out, batches)
    await out.write(tainted === 0 ? '\n' : `, ${tainted} tainted left out\n`)
  }
  process.exitCode = exit.clean
}

type Batches = AsyncIterable<readonly ListedEpisode[]>

async function* episodesOf(pass: ReturnType<typeof passOver>): AsyncGenerator<readonly ListedEpisode[]> {
  for await (const { episodes } of pass) yield episodes
}

async function printLines(out: Output, batches: Batches): Promise<void> {
  let [count, bytes] = [0, 0]
  for await (const episodes of batches) {
    await out.write(episodes.map(lineOf).join(''))
    count += episodes.length
    bytes += episodes.reduce((sum, episode) => sum + (episode.bytes ?? 0), 0)
    if (out.gone) break
  }
  await out.write(`${counted(count, 'episode')}, ${formatSize(bytes)}`)
}

/** Time, host, id, commit, size, and what stands against it. */
function lineOf({ received_at, host, id, commit, bytes, tainted, pruned }: ListedEpisode): string {
  const columns = [
    received_at ?? '-'.padEnd(24),
    (host ?? '-').padEnd(16),
    id.padEnd(32),
    (commit ?? '-').slice(0, 12).padEnd(12),
    bytes === undefined ? '-' : formatSize(bytes),
    ...(tainted ? [`tainted: ${tainted.reason}`] : []),
    ...(pruned ? [`pruned: ${pruned.reason}`] : []),
  ]
  return `${printable(columns.join('  '))}\n`
}
