/** `PUT /v1/episodes/<id>.tar.zst`: the verdict before the body, the body to disk, the promise last. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type EpisodeId, type HostName, timestamp } from '@cis490/shared/ids.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { episodePath, header, mediaType } from '@cis490/shared/protocol.ts'
import { encodeReceipt, type Receipt } from '@cis490/shared/receipt.ts'
import { type Inspection, type InspectMode, inspect } from '../archive/inspect.ts'
import { admit } from '../core/admit.ts'
import { type Claim, isRefused, type Refused, readClaim, stampedCommit } from '../core/claim.ts'
import type { Accepted, GateVerdict } from '../core/gate.ts'
import { type LoadLimits, lengthVerdict, loadVerdict, roomVerdict } from '../core/load.ts'
import { readBody } from '../http/body.ts'
import type { Metrics } from '../http/metrics.ts'
import { type Peer, requireClaimedHost, requireHost } from '../http/peer.ts'
import type { UploadsRunning, UploadTurn } from '../http/uploads-running.ts'
import { type Episodes, PublishInDoubt, type StoredEpisode } from '../store/episodes.ts'
import { Incoming } from '../store/incoming.ts'
import type { IndexLog } from '../store/index-log.ts'
import type { EpisodeKey } from '../store/layout.ts'

export interface PutEpisodePorts {
  readonly limits: LoadLimits & { readonly idle_timeout: number; readonly min_rate: number }
  readonly inspectMode: InspectMode
  /** Size of the gate's window, for `X-Cis490-Gate`. */
  readonly gateWindow: number
  readonly incomingFolder: string
  readonly episodes: Episodes
  readonly index: IndexLog
  readonly running: UploadsRunning
  readonly metrics: Metrics
  readonly log: Logger
  readonly cut: AbortSignal
  askGate(stamp: string | undefined, host: HostName | undefined): Promise<GateVerdict>
  freeBytes(): Promise<number>
  /** Value of X-Cis490-Receipt-Signature for a receipt's exact bytes; undefined where receipts are not signed. */
  sign(text: string): string | undefined
  /** The state on disk is in doubt: no more uploads until recovery has looked. */
  poison(error: unknown): void
  /** Why nothing may be promised any more; asked again right before each promise. */
  inDoubt(): Refusal | undefined
  /** @throws Refusal rate when this connection of the host is one too many */
  admitConnection(peer: Peer, socket: Socket): void
}

export interface UploadDone {
  readonly status: 200 | 201
  readonly receipt: Receipt
}

/** @throws Refusal for every refusal, BodyCut when the client went away, anything else is a fault */
export async function putEpisode(
  request: IncomingMessage,
  response: ServerResponse,
  id: EpisodeId,
  peer: Peer,
  ports: PutEpisodePorts,
): Promise<UploadDone> {
  const started = performance.now()
  const claim = orRefuse(readClaim(id, request.headers))
  const gate = acceptedBy(await ports.askGate(claim.stamp, peer.host))
  refuseIf(lengthVerdict(claim.length, ports.limits.max_episode_size))
  requireClaimedHost(request, peer)
  const key: EpisodeKey = { host: requireHost(peer), id }
  const freeBytes = await ports.freeBytes()
  const exists = claim.ifNoneMatch && (await ports.episodes.find(key)) !== undefined
  // Nothing is awaited between counting and taking the turn: uploads that come together must not all count the same.
  ports.admitConnection(peer, request.socket)
  admitLoad(claim, key, freeBytes - ports.running.outstanding, ports)
  if (exists) throw new Refusal('already-exists', 'this episode is stored already')
  using turn = ports.running.begin(key.host, id, claim.length)
  if (!turn) throw new Refusal('upload-in-progress', 'another request is sending this episode', { retry_after_s: 5 })
  if (claim.expectsContinue) response.writeContinue()
  const done = await receive(request, key, claim, gate, peer, turn, ports)
  if (done.status === 201) count(done.receipt, ports, started)
  else ports.metrics.duplicates.inc()
  reply(response, done, gate, ports)
  return { status: done.status, receipt: done.receipt }
}

function admitLoad(claim: Claim, key: EpisodeKey, freeBytes: number, ports: PutEpisodePorts): void {
  const today = ports.running.today(key.host, Date.now())
  const load = {
    bodies: ports.running.bodies,
    uploadsOfHost: ports.running.ofHost(key.host),
    bytesOfHostToday: today.bytes,
    episodesOfHostToday: today.episodes,
    freeBytes,
  }
  refuseIf(roomVerdict(claim.length, load, ports.limits))
  refuseIf(loadVerdict(claim.length, load, ports.limits, Math.random()))
}

const roomCheckBytes = 4 << 20

type Stored = StoredEpisode & { readonly status: 200 | 201 }

async function receive(
  request: IncomingMessage,
  key: EpisodeKey,
  claim: Claim,
  gate: Accepted,
  peer: Peer,
  turn: UploadTurn,
  ports: PutEpisodePorts,
): Promise<Stored> {
  try {
    await using incoming = await Incoming.create(ports.incomingFolder)
    const limits = { ...ports.limits, maxBytes: ports.limits.max_episode_size }
    await readBody(request, limits, intoStore(incoming, turn, ports), ports.cut)
    const sha256 = await incoming.finish()
    if (sha256 !== claim.sha256)
      throw new Refusal('sha256-mismatch', `the ${incoming.bytes} bytes that arrived have another hash`, {
        your_sha256: claim.sha256,
      })
    const stored = await ports.episodes.find(key)
    promiseNothingInDoubt(ports)
    if (stored) return already(stored, claim)
    const inspection = await inspect(incoming.path, incoming.bytes, { ...key, stamp: claim.stamp }, ports.inspectMode)
    if (inspection.fault !== undefined) throw new Refusal('invalid-episode', inspection.fault)
    const receipt = makeReceipt(key, claim, gate, peer, inspection, incoming.bytes)
    const text = encodeReceipt(receipt)
    await incoming.sync(text)
    promiseNothingInDoubt(ports)
    return await publish(key, incoming, receipt, text, ports)
  } catch (error) {
    if (isErrno(error, 'ENOSPC', 'EDQUOT'))
      throw new Refusal('store-full', 'the disk of the receiver is full', { retry_after_s: 300 })
    if (isErrno(error, 'EMFILE', 'ENFILE'))
      throw new Refusal('overloaded', 'the receiver has too many files open', { retry_after_s: 5 })
    throw error
  }
}

/** A body may be longer than it said, and others fill the disk too: the head-room is looked at again every few MiB. */
function intoStore(incoming: Incoming, turn: UploadTurn, ports: PutEpisodePorts): (chunk: Buffer) => Promise<void> | undefined {
  let sinceLook = 0
  return (chunk) => {
    turn.arrived(chunk.length)
    const written = incoming.take(chunk)
    sinceLook += chunk.length
    if (sinceLook < roomCheckBytes) return written
    sinceLook = 0
    return Promise.all([written, requireRoom(ports)]).then(() => undefined)
  }
}

async function requireRoom(ports: PutEpisodePorts): Promise<void> {
  if ((await ports.freeBytes()) < ports.limits.headroom)
    throw new Refusal('store-full', 'the disk of the receiver is nearly full', { retry_after_s: 300 })
}

function promiseNothingInDoubt(ports: PutEpisodePorts): void {
  const doubt = ports.inDoubt()
  if (doubt) throw doubt
}

async function publish(
  key: EpisodeKey,
  incoming: Incoming,
  receipt: Receipt,
  text: string,
  ports: PutEpisodePorts,
): Promise<Stored> {
  try {
    if (!(await ports.episodes.publish(key, { archive: incoming.path, sidecar: incoming.sidecarPath })))
      throw new Refusal('upload-in-progress', 'another process published this id just now', { retry_after_s: 5 })
    await ports.index.append(receipt)
    return { status: 201, receipt, text }
  } catch (error) {
    if (error instanceof PublishInDoubt || ports.index.broken) ports.poison(error)
    throw error
  }
}

function already(stored: StoredEpisode, claim: Claim): Stored {
  if (admit(stored.receipt, claim.sha256) === 'duplicate') return { ...stored, status: 200 }
  throw new Refusal('content-conflict', 'other bytes are stored under this id; give the recording a new id', {
    stored_sha256: stored.receipt.sha256,
    your_sha256: claim.sha256,
  })
}

function makeReceipt(key: EpisodeKey, claim: Claim, gate: Accepted, peer: Peer, found: Inspection, bytes: number): Receipt {
  const commit = gate.commit ?? stampedCommit(claim.stamp)
  const schemaVersion = claim.schemaVersion ?? found.schemaVersion
  return {
    id: key.id,
    host: key.host,
    sha256: claim.sha256,
    bytes,
    ...(commit && { commit }),
    received_at: timestamp(Date.now()),
    ...(gate.position !== undefined && { gate_position: gate.position }),
    ...(gate.mark && { verdict: gate.mark }),
    ...(schemaVersion !== undefined && { schema_version: schemaVersion }),
    ...(found.dirty !== undefined && { dirty: found.dirty }),
    ...(peer.fingerprint !== undefined && { cert_fingerprint: peer.fingerprint }),
    ...(claim.agentVersion !== undefined && { agent_version: claim.agentVersion }),
  }
}

function reply(response: ServerResponse, done: Stored, gate: Accepted, ports: PutEpisodePorts): void {
  const body = Buffer.from(done.text)
  const signature = ports.sign(done.text)
  response.writeHead(done.status, {
    'content-type': mediaType.json,
    'content-length': body.length,
    etag: `"sha256-${done.receipt.sha256}"`,
    'cache-control': 'no-store',
    ...(done.status === 201 && { location: episodePath(done.receipt.id) }),
    ...(gate.position !== undefined && { [header.gate]: gateHeader(gate, ports.gateWindow) }),
    ...(signature !== undefined && { [header.receiptSignature]: signature }),
  })
  response.end(body)
}

/** `position=87, window=100, head=<sha>` */
function gateHeader(gate: Accepted, window: number): string {
  return [`position=${gate.position}`, `window=${window}`, gate.head && `head=${gate.head}`].filter(Boolean).join(', ')
}

function count(receipt: Receipt, ports: PutEpisodePorts, started: number): void {
  const today = ports.running.today(receipt.host, Date.now())
  today.bytes += receipt.bytes
  today.episodes += 1
  ports.metrics.episodesStored.inc()
  ports.metrics.bytesStored.inc(receipt.bytes)
  ports.metrics.uploadSeconds.observe((performance.now() - started) / 1000)
  ports.log.info(
    { event: 'stored', host: receipt.host, id: receipt.id, bytes: receipt.bytes, commit: receipt.commit },
    'episode stored',
  )
}

function orRefuse(claim: Claim | Refused): Claim {
  if (isRefused(claim)) throw new Refusal(claim.code, claim.detail, claim.members)
  return claim
}

function refuseIf(verdict: Refused | undefined): void {
  if (verdict) throw new Refusal(verdict.code, verdict.detail, verdict.members)
}

function acceptedBy(verdict: GateVerdict): Accepted {
  if (verdict.kind === 'refuse') throw new Refusal(verdict.code, verdict.detail, verdict.members)
  return verdict
}
