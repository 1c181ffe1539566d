/** `GET /v1/episodes`: the rows of the index that fit, as JSON lines, no faster than the client reads. */
import type { HostName } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { mediaType } from '@cis490/shared/protocol.ts'
import { type EpisodeQuery, parseQuery, QueryFault, queryKeys } from '../core/episode-query.ts'
import { type Peer, requireHost } from '../http/peer.ts'
import { checkCursor, type ListKnowledge, listEpisodes } from '../store/episode-list.ts'
import type { StoreLayout } from '../store/layout.ts'

export interface ListPorts {
  readonly layout: StoreLayout
  readonly log: Logger
  /** What stands against the episodes now. */
  known(): Promise<ListKnowledge>
  readsAll(peer: Peer): boolean
}

/** @throws Refusal bad-query, wrong-host, host-missing */
export async function getEpisodeList(url: string, peer: Peer, ports: ListPorts): Promise<Response> {
  const query = await refusing(async () => {
    const parsed = parseQuery(fieldsOf(url, queryKeys), Date.now())
    await checkCursor(ports.layout, parsed)
    return parsed
  })
  const scoped = withHost(query, visibleHost(query.host, peer, ports))
  const lines = stream(scoped, await ports.known(), ports)
  return new Response(ReadableStream.from(lines), {
    headers: { 'content-type': mediaType.jsonLines, 'cache-control': 'no-store' },
  })
}

/** A host sees what is its own. @returns undefined for all hosts. @throws Refusal */
export function visibleHost(asked: HostName | undefined, peer: Peer, ports: Pick<ListPorts, 'readsAll'>): HostName | undefined {
  if (ports.readsAll(peer)) return asked
  const own = requireHost(peer)
  if (asked !== undefined && asked !== own)
    throw new Refusal('wrong-host', 'a host reads its own episodes; a name in [auth] readers reads all')
  return own
}

/** The parameters of a target. A name that means nothing is refused: a filter with a slip in it would list everything. */
export function fieldsOf<K extends string>(url: string, keys: readonly K[]): Partial<Record<K, string>> {
  const fields: Partial<Record<K, string>> = {}
  for (const [name, value] of new URLSearchParams(url.split('?').slice(1).join('?'))) {
    const key = keys.find((known) => known === name)
    if (key === undefined) throw new Refusal('bad-query', `there is no such parameter; ${keys.join(', ')} are taken`)
    if (fields[key] !== undefined) throw new Refusal('bad-query', `${key}: it is there twice`)
    fields[key] = value
  }
  return fields
}

async function refusing<T>(parse: () => Promise<T>): Promise<T> {
  try {
    return await parse()
  } catch (error) {
    if (error instanceof QueryFault) throw new Refusal('bad-query', error.message)
    throw error
  }
}

function withHost(query: EpisodeQuery, host: HostName | undefined): EpisodeQuery {
  const { host: _asked, ...rest } = query
  return host === undefined ? rest : { ...rest, host }
}

async function* stream(query: EpisodeQuery, known: ListKnowledge, { layout, log }: ListPorts): AsyncGenerator<Uint8Array> {
  try {
    for await (const { episodes } of listEpisodes(layout, query, known)) {
      if (episodes.length > 0) yield Buffer.from(episodes.map((episode) => `${JSON.stringify(episode)}\n`).join(''))
      // A chunk without a hit gives nothing to wait for: others get their turn all the same.
      else await new Promise(setImmediate)
    }
  } catch (error) {
    log.error({ err: error }, 'cannot read the index; the list is cut')
    throw error
  }
}
