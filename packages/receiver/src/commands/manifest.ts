/** `cis490-receiver manifest`: which bytes to train with, without what is known to be bad; `--verify` asks whether that still holds. */
import { relative } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, UserError } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import type { EpisodeQuery, QueryFields } from '../core/episode-query.ts'
import { entryOf, type ManifestEntry, type ManifestHeader } from '../core/manifest.ts'
import type { ListedEpisode } from '../store/episode-list.ts'
import { indexHead } from '../store/index-head.ts'
import type { StoreLayout } from '../store/layout.ts'
import { verifyManifest } from './manifest-verify.ts'
import { print, save } from './manifest-write.ts'
import { addFilters, queryOf } from './query-options.ts'
import { openStore, type Pass, passOver } from './store-pass.ts'

export interface ManifestOptions extends CommonOptions, Pick<QueryFields, 'commit' | 'host' | 'since' | 'until'> {
  readonly out?: string
  readonly verify?: string
  readonly hashes?: true
}

export function registerManifest(program: Command): void {
  addFilters(addCommand(program, 'manifest', 'write which stored episodes to train with', defaultConfigFile))
    .option('--out <file>', 'write it there, as JSON lines, whole or not at all')
    .option('--verify <file>', 'hold an older manifest against the store and the taints of today')
    .option('--hashes', 'with --verify: read every archive and compare its SHA-256')
    .action(run)
}

async function run(options: ManifestOptions): Promise<void> {
  if (options.verify !== undefined) return verifyManifest(options.verify, options)
  if (options.hashes) throw new UserError('--hashes goes with --verify', exit.usage)
  const query: EpisodeQuery = { ...queryOf(options), tainted: 'include', pruned: 'include' }
  const { layout, known } = openStore(options)
  // One look at the taints for both passes: the count has to be that of the entries.
  const pass = { query, known: await known() }
  const header = await count(layout, pass)
  const batches = entries(layout, pass, header)
  if (options.out === undefined) await print(header, batches, options.json === true)
  else await save(options.out, header, batches, options.json === true)
  process.exitCode = exit.clean
}

type Look = Pick<Pass, 'query' | 'known'>

async function count(layout: StoreLayout, look: Look): Promise<ManifestHeader> {
  const left_out = { tainted: 0, pruned: 0, incomplete: 0 }
  let [entries, bytes, at] = [0, 0, 0]
  for await (const batch of passOver(layout, { ...look, label: 'counting' })) {
    at = batch.at
    for (const episode of batch.episodes) {
      const entry = judged(episode)
      if (typeof entry === 'string') left_out[entry] += 1
      else {
        entries += 1
        bytes += entry.bytes
      }
    }
  }
  const { commit, host, since, until } = look.query
  const filters = {
    ...(commit !== undefined && { commit }),
    ...(host !== undefined && { host }),
    ...(since !== undefined && { since: timestamp(since) }),
    ...(until !== undefined && { until: timestamp(until) }),
  }
  const head = at === 0 ? null : await indexHead(layout, at)
  return { manifest: 1, generated_at: timestamp(Date.now()), filters, count: entries, bytes, head, left_out }
}

async function* entries(layout: StoreLayout, look: Look, header: ManifestHeader): AsyncGenerator<readonly ManifestEntry[]> {
  for await (const batch of passOver(layout, { ...look, label: 'manifest', to: header.head?.offset ?? 0 }))
    yield batch.episodes.flatMap((episode) => {
      const entry = judged(episode)
      return typeof entry === 'string' ? [] : [{ ...entry, path: relative(layout.root, layout.archive(entry)) }]
    })
}

function judged(episode: ListedEpisode) {
  return entryOf(episode, { tainted: episode.tainted !== undefined, pruned: episode.pruned !== undefined })
}
