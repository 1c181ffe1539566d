/** What is asked before a body is read: the second half of the order of the protocol, from the gate to the load. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { type Claim, isRefused, type Refused } from '../core/claim.ts'
import type { EpisodeKey } from '../core/episode-key.ts'
import type { Accepted, GateVerdict } from '../core/gate.ts'
import { bodiesVerdict, type LoadLimits, lengthVerdict, quotaVerdict, roomVerdict } from '../core/load.ts'
import { type Peer, requireClaimedHost, requireHost } from '../http/peer.ts'
import type { UploadsRunning } from '../http/uploads-running.ts'
import type { Episodes, StoredEpisode } from '../store/episodes.ts'
import type { Uploads } from '../store/uploads.ts'

export interface PreflightPorts {
  readonly limits: LoadLimits
  readonly episodes: Episodes
  readonly running: UploadsRunning
  readonly uploads: Uploads
  askGate(stamp: string | undefined, host: HostName | undefined): Promise<GateVerdict>
  freeBytes(): number
  /** @throws Refusal rate when this connection of the host is one too many */
  admitConnection(peer: Peer, socket: Socket): void
  /** Why nothing may be promised any more. */
  inDoubt(): Refusal | undefined
}

export interface Passed {
  readonly key: EpisodeKey
  readonly gate: Accepted
  /** What is stored under the key; looked up where the request asks for it. */
  readonly stored: StoredEpisode | undefined
}

export interface Asked {
  /** Bytes of the whole episode, as far as it is known. */
  readonly length: number | undefined
  /** Makes an upload resource: wants to know what is stored, and an open one has its room already. */
  readonly resumable: boolean
}

/**
 * Nothing is awaited between the count of what runs and the return: the caller takes its turn in the same breath,
 * or uploads that come together would all count the same.
 * @throws Refusal the first that is wrong
 */
export async function preflight(
  request: IncomingMessage,
  claim: Claim,
  peer: Peer,
  { length, resumable }: Asked,
  ports: PreflightPorts,
): Promise<Passed> {
  const gate = acceptedBy(await ports.askGate(claim.stamp, peer.host))
  refuseIf(lengthVerdict(length, ports.limits.max_episode_size))
  requireClaimedHost(request, peer)
  const key: EpisodeKey = { host: requireHost(peer), id: claim.id }
  const freeBytes = ports.freeBytes()
  const looks = claim.ifNoneMatch || resumable
  // A name that another request has just given may not be durable, or have no row: who looks is alone with it.
  using held = looks ? ports.running.hold(key.host, key.id) : undefined
  const stored = held ? await findSettled(key, ports) : undefined
  // Beside a request that only sends it again it is as stored as ever.
  const there = claim.ifNoneMatch && !held && (await isThere(key, ports))
  ports.admitConnection(peer, request.socket)
  const open = resumable && length !== undefined && ports.uploads.openFor(key, uploadFacts(claim, length), Date.now())
  admitLoad(open || stored ? 0 : length, key.host, freeBytes, ports)
  if (claim.ifNoneMatch && (stored || there)) throw new Refusal('already-exists', 'this episode is stored already')
  if (looks && !held) throw inFlight()
  return { key, gate, stored }
}

async function isThere(key: EpisodeKey, { episodes, running, inDoubt }: PreflightPorts): Promise<boolean> {
  const found = await episodes.find(key)
  return found !== undefined && !running.isPublishing(key.host, key.id) && !inDoubt()
}

/** The caller holds the key. @throws Refusal where what was found may be the work of a publication that failed */
async function findSettled(key: EpisodeKey, { episodes, inDoubt }: PreflightPorts): Promise<StoredEpisode | undefined> {
  const stored = await episodes.find(key)
  const doubt = stored && inDoubt()
  if (doubt) throw doubt
  return stored
}

/** What an open upload has to share with a creation that goes on with it. */
export function uploadFacts({ sha256, stamp, schemaVersion }: Claim, length: number) {
  return {
    sha256,
    length,
    ...(stamp !== undefined && { stamp }),
    ...(schemaVersion !== undefined && { schema_version: schemaVersion }),
  }
}

export function inFlight(): Refusal {
  return new Refusal('upload-in-progress', 'another request is sending this episode', { retry_after_s: 5 })
}

function admitLoad(length: number | undefined, host: HostName, freeBytes: number, ports: PreflightPorts): void {
  const now = Date.now()
  const today = ports.running.today(host, now)
  const load = {
    ...placesFor(host, ports),
    bytesOfHostToday: today.bytes + ports.running.declaredOf(host) + ports.uploads.pendingOf(host, now),
    episodesOfHostToday: today.episodes,
    freeBytes: freeBytes - ports.running.outstanding - ports.uploads.reserved(now),
  }
  refuseIf(roomVerdict(length, load, ports.limits))
  turnAwayIf(bodiesVerdict(load, ports.limits), host, ports)
  refuseIf(quotaVerdict(length, load, ports.limits))
}

/** A body of an upload whose room and quota were judged at its creation. @throws Refusal overloaded or rate */
export function admitBody(host: HostName, ports: PreflightPorts): void {
  turnAwayIf(bodiesVerdict(placesFor(host, ports), ports.limits), host, ports)
}

function placesFor(host: HostName, { running }: PreflightPorts) {
  const { bodies, eachMs } = running
  return { bodies, eachMs, uploadsOfHost: running.ofHost(host), ...running.asking.ask(host, Date.now()) }
}

/** Who is turned away is known to wait until it has had a place. */
function turnAwayIf(verdict: Refused | undefined, host: HostName, { running }: PreflightPorts): void {
  if (verdict) running.asking.turnAway(host, Date.now())
  refuseIf(verdict)
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
