/** `GET /v1/hosts/<host>/update` and `GET /v1/rollout`: who may take the head of the branch, and who waits for whom. */
import { CommitSha, HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { type RolloutView, type UpdateAnswer, Wave } from '@cis490/shared/rollout.ts'
import type { Peer } from '../http/peer.ts'

/** What a host says of itself; left out: what it was heard with. */
export interface SaidOfUpdate {
  readonly wave?: number | undefined
  readonly commit?: string | null | undefined
}

export interface UpdateAnswers {
  /** May this host update? @param now epoch milliseconds. @returns undefined where no wave is known */
  answer(host: string, said: SaidOfUpdate, now: number): UpdateAnswer | undefined
  /** @param only left out: every host */
  view(now: number, only?: string): RolloutView
}

export interface RolloutPorts {
  readonly rollout: UpdateAnswers
  /** May this caller read what is known of other hosts? */
  readsAll(peer: Peer): boolean
}

const noStore = { 'cache-control': 'no-store' }

/** @param name the host in the path */
export function getUpdate(url: string, name: string, peer: Peer, { rollout, readsAll }: RolloutPorts): Response {
  const host = HostName.safeParse(name).data
  if (host === undefined) throw new Refusal('bad-query', 'the path has no host name between /v1/hosts/ and /update')
  if (peer.host !== host && !readsAll(peer))
    throw new Refusal('wrong-host', 'a host asks for itself; a name in [auth] readers asks for all')
  const answer = rollout.answer(host, saidOf(new URL(url).searchParams), Date.now())
  if (!answer) throw new Refusal('bad-query', `no heartbeat has told the wave of ${host} yet: name it with wave=`)
  return Response.json(answer, { headers: noStore })
}

function saidOf(query: URLSearchParams): SaidOfUpdate {
  const [wave, commit] = [query.get('wave'), query.get('commit')]
  const number = wave === null ? undefined : Wave.safeParse(/^\d{1,4}$/.test(wave) ? Number(wave) : undefined).data
  if (wave !== null && number === undefined) throw new Refusal('bad-query', 'wave= is a number from 0 to 1000')
  const sha = commit === null ? undefined : CommitSha.safeParse(commit)
  if (sha && !sha.success) throw new Refusal('bad-query', `commit=: ${sha.error.issues[0]?.message}`)
  return { wave: number, commit: sha?.data }
}

/** Every host for who may read them, else the caller's own. */
export function getRollout(peer: Peer, { rollout, readsAll }: RolloutPorts): Response {
  return Response.json(rollout.view(Date.now(), readsAll(peer) ? undefined : (peer.host ?? '')), { headers: noStore })
}
