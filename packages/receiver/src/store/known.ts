/** What is known against the stored episodes, kept current while the receiver runs. */
import type { Logger } from '@cis490/shared/node/log.ts'
import type { ListKnowledge } from './episode-list.ts'
import type { StoreLayout } from './layout.ts'
import { TaintsNow } from './taints.ts'

export interface KnownStore {
  readonly layout: StoreLayout
  /** As of now. @throws the system's error when a file cannot be read: a list without it would call bad episodes good */
  known(): Promise<ListKnowledge>
}

export function knownStore(layout: StoreLayout, log: Logger): KnownStore {
  const taints = new TaintsNow(layout, (lines) =>
    log.error({ path: layout.taints, lines }, 'lines of taints.jsonl are damaged; a taint may be lost in one'),
  )
  return { layout, known: async () => ({ taints: await taints.get(), prunedBy: () => undefined }) }
}
