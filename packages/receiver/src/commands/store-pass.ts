/** What commands that look at the stored episodes have in common: the store, what is known of it, and a bar. */
import { existsSync } from 'node:fs'
import { type CommonOptions, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeLogger } from '@cis490/shared/node/log.ts'
import { ReceiverConfig } from '../config.ts'
import type { EpisodeQuery } from '../core/episode-query.ts'
import { type ListedEpisode, type ListKnowledge, listEpisodes } from '../store/episode-list.ts'
import { type KnownStore, knownStore } from '../store/known.ts'
import { StoreLayout } from '../store/layout.ts'
import { indexBytes, passBar } from './index-rows.ts'

/** @throws UserError where there is no store: that is not an empty one */
export function openStore(options: CommonOptions): KnownStore & { readonly config: ReceiverConfig } {
  const config = loadConfig(options.config, ReceiverConfig)
  if (!existsSync(config.state_dir)) throw new UserError(`state_dir: ${config.state_dir} is not there; see ${options.config}`)
  return { config, ...knownStore(new StoreLayout(config.state_dir), makeLogger(process.stderr)) }
}

export interface Pass {
  readonly query: EpisodeQuery
  readonly known: ListKnowledge
  readonly label: string
  /** Offset in the index at which it ends. */
  readonly to?: number
  /** Told of each row that would be listed were it not tainted. */
  readonly onTainted?: () => void
}

/** @returns batches of rows, with the offset up to which the index was looked at */
export async function* passOver(
  layout: StoreLayout,
  { query, known, label, to, onTainted }: Pass,
): AsyncGenerator<{ readonly episodes: readonly ListedEpisode[]; readonly at: number }> {
  const total = to ?? (await indexBytes(layout))
  const bar = passBar(label, total)
  for await (const batch of listEpisodes(layout, query, known, { to: total, onTainted })) {
    bar?.update(batch.at)
    yield batch
  }
  bar?.done()
}
