/** `GET /v1/explain?id=`: everything that was decided about one episode, from what lies on the disk. */
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import type { Peer } from '../http/peer.ts'
import type { Explained } from '../store/explain-episode.ts'
import { fieldsOf, visibleHost } from './list-episodes.ts'

export interface ExplainPorts {
  explain(id: EpisodeId, host: HostName | undefined, seesAll: boolean): Promise<Explained>
  readsAll(peer: Peer): boolean
}

/** @throws Refusal bad-query, wrong-host, host-missing */
export async function getExplanation(url: string, peer: Peer, ports: ExplainPorts): Promise<Response> {
  const fields = fieldsOf(url, ['id', 'host'])
  if (fields.id === undefined) throw new Refusal('bad-query', 'id: which episode? ask /v1/explain?id=<episode id>')
  const id = EpisodeId.safeParse(fields.id)
  if (!id.success) throw new Refusal('bad-query', `id: ${id.error.issues[0]?.message}`)
  const named = fields.host === undefined ? undefined : HostName.safeParse(fields.host)
  if (named && !named.success) throw new Refusal('bad-query', `host: ${named.error.issues[0]?.message}`)
  const host = visibleHost(named?.data, peer, ports)
  const explained = await ports.explain(id.data, host, ports.readsAll(peer))
  if (explained.kind === 'several-hosts')
    throw new Refusal(
      'bad-query',
      `host: ${explained.hosts.length} hosts have this id, name one: ${explained.hosts.slice(0, 20).join(' ')}`,
    )
  return Response.json(explained.explanation, { headers: { 'cache-control': 'no-store' } })
}
