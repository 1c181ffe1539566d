/** What is known against the stored episodes, kept current while the receiver runs. */

import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import type { ListKnowledge, Marks } from './episode-list.ts'
import { type Explained, explainEpisode } from './explain-episode.ts'
import type { StoreLayout } from './layout.ts'
import { Prunes } from './prunes.ts'
import { TaintsNow } from './taints.ts'
import { OneAtATime } from './turns.ts'

export interface KnownStore {
  readonly layout: StoreLayout
  /** As of now. @throws the system's error when a file cannot be read: a list without it would call bad episodes good */
  known(): Promise<ListKnowledge>
  /** @throws Refusal overloaded while too many are being looked up */
  explain(id: EpisodeId, host: HostName | undefined, seesAll: boolean): Promise<Explained>
}

const inLine = 32

export function knownStore(layout: StoreLayout, log: Logger): KnownStore {
  const taints = new TaintsNow(layout, (lines) =>
    log.error({ path: layout.taints, lines }, 'lines of taints.jsonl are damaged; a taint may be lost in one'),
  )
  const prunes = new Prunes(layout)
  const lookUps = new OneAtATime(inLine)
  return {
    layout,
    known: async () => {
      await prunes.refresh()
      return { taints: await taints.get(), prunedBy: (row) => prunedBy(prunes, row) }
    },
    explain: (id, host, seesAll) => lookUps.run(() => explainEpisode(layout, id, host, seesAll)),
  }
}

/** Asked for each row of an index of millions: names that are none are simply not found. */
function prunedBy(prunes: Prunes, { id, host }: Pick<IndexRow, 'id' | 'host'>): Marks['pruned'] {
  if (prunes.size === 0 || host === undefined) return undefined
  const act = prunes.get({ id: id as EpisodeId, host: host as HostName })
  return act && { at: act.at, reason: act.reason, by: act.by }
}
