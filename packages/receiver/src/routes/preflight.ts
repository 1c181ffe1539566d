/** What is asked before a body is read: the second half of the order of the protocol, from the gate to the load. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { type Claim, isRefused, type Refused } from '../core/claim.ts'
import type { EpisodeKey } from '../core/episode-key.ts'
import type { Accepted, GateVerdict } from '../core/gate.ts'
import { type LoadLimits, lengthVerdict, loadVerdict, roomVerdict } from '../core/load.ts'
import { type Peer, requireClaimedHost, requireHost } from '../http/peer.ts'
import type { UploadsRunning } from '../http/uploads-running.ts'
import type { Episodes } from '../store/episodes.ts'

export interface PreflightPorts {
  readonly limits: LoadLimits
  readonly episodes: Episodes
  readonly running: UploadsRunning
  askGate(stamp: string | undefined, host: HostName | undefined): Promise<GateVerdict>
  freeBytes(): Promise<number>
  /** @throws Refusal rate when this connection of the host is one too many */
  admitConnection(peer: Peer, socket: Socket): void
}

export interface Passed {
  readonly key: EpisodeKey
  readonly gate: Accepted
}

/**
 * Nothing is awaited between the count of what runs and the return: the caller takes its turn in the same breath,
 * or uploads that come together would all count the same.
 * @param length of the whole episode in bytes, as far as it is known
 * @throws Refusal the first that is wrong
 */
export async function preflight(
  request: IncomingMessage,
  claim: Claim,
  peer: Peer,
  length: number | undefined,
  ports: PreflightPorts,
): Promise<Passed> {
  const gate = acceptedBy(await ports.askGate(claim.stamp, peer.host))
  refuseIf(lengthVerdict(length, ports.limits.max_episode_size))
  requireClaimedHost(request, peer)
  const key: EpisodeKey = { host: requireHost(peer), id: claim.id }
  const freeBytes = await ports.freeBytes()
  const exists = claim.ifNoneMatch && (await ports.episodes.find(key)) !== undefined
  ports.admitConnection(peer, request.socket)
  admitLoad(length, key.host, freeBytes - ports.running.outstanding, ports)
  if (exists) throw new Refusal('already-exists', 'this episode is stored already')
  return { key, gate }
}

function admitLoad(length: number | undefined, host: HostName, freeBytes: number, ports: PreflightPorts): void {
  const today = ports.running.today(host, Date.now())
  const load = {
    bodies: ports.running.bodies,
    uploadsOfHost: ports.running.ofHost(host),
    bytesOfHostToday: today.bytes,
    episodesOfHostToday: today.episodes,
    freeBytes,
  }
  refuseIf(roomVerdict(length, load, ports.limits))
  refuseIf(loadVerdict(length, load, ports.limits, Math.random()))
}

export function orRefuse<T>(value: T | Refused): T {
  if (isRefused(value)) throw new Refusal(value.code, value.detail, value.members)
  return value
}

export function refuseIf(verdict: Refused | undefined): void {
  if (verdict) throw new Refusal(verdict.code, verdict.detail, verdict.members)
}

function acceptedBy(verdict: GateVerdict): Accepted {
  if (verdict.kind === 'refuse') throw new Refusal(verdict.code, verdict.detail, verdict.members)
  return verdict
}
