/** From a complete body to the promise: the one path by which an episode gets its name, its row and its receipt. */
import { timestamp } from '@cis490/shared/ids.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { encodeReceipt, type Receipt } from '@cis490/shared/receipt.ts'
import { type Inspection, type InspectMode, inspect } from '../archive/inspect.ts'
import { admit } from '../core/admit.ts'
import { type Claim, stampedCommit } from '../core/claim.ts'
import type { EpisodeKey } from '../core/episode-key.ts'
import type { Accepted } from '../core/gate.ts'
import type { Metrics } from '../http/metrics.ts'
import type { Peer } from '../http/peer.ts'
import type { UploadsRunning } from '../http/uploads-running.ts'
import { type Episodes, PublishInDoubt, type StoredEpisode } from '../store/episodes.ts'
import type { IndexLog } from '../store/index-log.ts'
import type { Stored } from './receipt-answer.ts'

export interface PublishPorts {
  readonly inspectMode: InspectMode
  readonly episodes: Episodes
  readonly index: IndexLog
  readonly running: UploadsRunning
  readonly metrics: Metrics
  readonly log: Logger
  /** The state on disk is in doubt: no more uploads until recovery has looked. */
  poison(error: unknown): void
  /** Why nothing may be promised any more; asked again right before each promise. */
  inDoubt(): Refusal | undefined
}

/** A whole body under a temporary name. */
export interface WholeBody {
  readonly path: string
  readonly bytes: number
  readonly sidecarPath: string
  /** Resolves when the bytes are on the disk. @throws what the disk said, where it has lost some */
  onDisk(): Promise<void>
  /** Makes the bytes and the sidecar durable, under their temporary names. */
  sync(sidecar: string): Promise<void>
}

/** What goes into the receipt besides the body's own facts. */
export interface Told {
  readonly claim: Pick<Claim, 'sha256' | 'stamp' | 'schemaVersion' | 'agentVersion'>
  readonly gate: Accepted
  readonly peer: Peer
  /** What the head of the archive says, where somebody has looked already. */
  readonly head?: Inspection | undefined
}

/**
 * The caller holds the key.
 * @param sha256 what the bytes of the body have, in lower-case hex
 * @param started when the request came, in ms of `performance.now()`
 * @throws Refusal sha256-mismatch, content-conflict, invalid-episode, or for now: upload-in-progress, store-full, overloaded
 */
export async function publishEpisode(
  key: EpisodeKey,
  body: WholeBody,
  sha256: string,
  told: Told,
  started: number,
  ports: PublishPorts,
): Promise<Stored> {
  const { claim, gate, peer } = told
  if (sha256 !== claim.sha256)
    throw new Refusal('sha256-mismatch', `the ${body.bytes} bytes that arrived have another hash`, { your_sha256: claim.sha256 })
  if (!ports.episodes.isNew(key)) {
    const stored = await ports.episodes.find(key)
    promiseNothingInDoubt(ports)
    if (stored) {
      ports.metrics.duplicates.inc()
      return already(stored, claim.sha256)
    }
    const lost = await ports.episodes.findLost(key)
    if (lost) return await bringBack(key, body, already(lost, claim.sha256), ports)
  }
  const inspection = told.head ?? (await inspect(body, { ...key, stamp: claim.stamp }, ports.inspectMode))
  if (inspection.fault !== undefined) {
    // What the disk lost is not what the client sent.
    await body.onDisk()
    throw new Refusal('invalid-episode', inspection.fault)
  }
  const receipt = makeReceipt(key, claim, gate, peer, inspection, body.bytes)
  const text = encodeReceipt(receipt)
  await body.sync(text)
  promiseNothingInDoubt(ports)
  await link(key, body, receipt, ports)
  count(receipt, ports, started)
  return { status: 201, receipt, text }
}

/** The same bytes again get the first receipt. @throws Refusal content-conflict for other bytes */
export function already(stored: StoredEpisode, sha256: string): Stored {
  if (admit(stored.receipt, sha256) === 'duplicate') return { ...stored, status: 200 }
  throw new Refusal('content-conflict', 'other bytes are stored under this id; give the recording a new id', {
    stored_sha256: stored.receipt.sha256,
    your_sha256: sha256,
  })
}

function promiseNothingInDoubt(ports: PublishPorts): void {
  const doubt = ports.inDoubt()
  if (doubt) throw doubt
}

/** The archive of a stored episode was lost, and its host sends the same bytes again: receipt and row are there. */
async function bringBack(key: EpisodeKey, body: WholeBody, lost: Stored, ports: PublishPorts): Promise<Stored> {
  await body.sync(lost.text)
  promiseNothingInDoubt(ports)
  using _publishing = ports.running.publishing(key.host, key.id)
  try {
    if (!(await ports.episodes.bringBack(key, body.path))) throw publishedElsewhere()
  } catch (error) {
    throw orPoison(error, ports)
  }
  ports.log.warn({ event: 'archive-brought-back', ...key }, 'an archive that was lost was sent again and is stored again')
  return lost
}

async function link(key: EpisodeKey, body: WholeBody, receipt: Receipt, ports: PublishPorts): Promise<void> {
  using _publishing = ports.running.publishing(key.host, key.id)
  try {
    if (!(await ports.episodes.publish(key, { archive: body.path, sidecar: body.sidecarPath }))) throw publishedElsewhere()
    await ports.index.append(receipt)
  } catch (error) {
    throw orPoison(error, ports)
  }
}

function publishedElsewhere(): Refusal {
  return new Refusal('upload-in-progress', 'another process published this id just now', { retry_after_s: 5 })
}

/** After a failure that leaves in doubt what is on the disk, nothing is taken in any more. @returns the failure */
function orPoison(error: unknown, ports: PublishPorts): unknown {
  if (error instanceof PublishInDoubt || ports.index.broken) ports.poison(error)
  return error
}

function makeReceipt(
  key: EpisodeKey,
  claim: Told['claim'],
  gate: Accepted,
  peer: Peer,
  found: Inspection,
  bytes: number,
): Receipt {
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

function count(receipt: Receipt, ports: PublishPorts, started: number): void {
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

/** What the disk or the system refuses for now is the client's to try again, not a fault of ours. */
export function asRefusal(error: unknown): unknown {
  if (isErrno(error, 'ENOSPC', 'EDQUOT'))
    return new Refusal('store-full', 'the disk of the receiver is full', { retry_after_s: 300 })
  if (isErrno(error, 'EMFILE', 'ENFILE'))
    return new Refusal('overloaded', 'the receiver has too many files open', { retry_after_s: 5 })
  return error
}
