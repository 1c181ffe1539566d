/** Puts together what is known of one episode of one host. */
import type { Explanation } from '@cis490/shared/explain.ts'
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { explain } from '../core/explain.ts'
import { Taints } from '../core/taints.ts'
import { collect } from './episode-trace.ts'
import type { StoreLayout } from './layout.ts'

export type Explained =
  | { readonly kind: 'explained'; readonly explanation: Explanation }
  /** Nobody said which of them is meant. */
  | { readonly kind: 'several-hosts'; readonly hosts: readonly HostName[] }

/** @param host undefined: the one that has it, for who may see every host's */
export async function explainEpisode(
  layout: StoreLayout,
  id: EpisodeId,
  host: HostName | undefined,
  seesAll: boolean,
): Promise<Explained> {
  const traces = await collect(layout, id)
  if (host === undefined && traces.hosts.length > 1) return { kind: 'several-hosts', hosts: traces.hosts }
  const of = host ?? traces.hosts[0]
  const trace = await traces.traceOf(of, seesAll)
  const subject = { id, host: of, commit: trace.row?.commit ?? trace.receipt?.commit }
  const tainted = trace.row || trace.archive ? new Taints(trace.taints).of(subject) : undefined
  return { kind: 'explained', explanation: explain({ id, host: of, trace, tainted, rejectsSince: traces.rejectsSince }) }
}
