/** `PUT /v1/episodes/<id>.tar.zst`: the verdict before the body, the body to disk, the promise last. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { header } from '@cis490/shared/protocol.ts'
import type { Inspection } from '../archive/inspection.ts'
import { inspectSmallHead } from '../archive/small-head.ts'
import { type Claim, readClaim } from '../core/claim.ts'
import { plainLengthVerdict, uploadComplete } from '../core/upload-request.ts'
import { readBody } from '../http/body.ts'
import type { Peer } from '../http/peer.ts'
import type { BodyTurn } from '../http/uploads-running.ts'
import type { HashPool } from '../store/hashing/hash-pool.ts'
import { Incoming } from '../store/incoming.ts'
import type { Upload } from '../store/upload.ts'
import { type CreateUploadPorts, createUpload } from './create-upload.ts'
import { inFlight, orRefuse, type Passed, preflight, refuseIf } from './preflight.ts'
import { asRefusal, type PublishPorts, publishEpisode } from './publish-episode.ts'
import { answerReceipt, type Stored } from './receipt-answer.ts'
import { roomWatch } from './room-watch.ts'

export interface PutEpisodePorts extends PublishPorts, CreateUploadPorts {
  readonly episodes: CreateUploadPorts['episodes']
  readonly running: CreateUploadPorts['running']
  readonly metrics: PublishPorts['metrics']
  readonly log: PublishPorts['log']
  readonly incomingFolder: string
  readonly hashes: HashPool
}

/**
 * @param made told the upload resource, once there is one
 * @throws Refusal for every refusal, BodyCut when the client went away, anything else is a fault
 */
export async function putEpisode(
  request: IncomingMessage,
  response: ServerResponse,
  id: EpisodeId,
  peer: Peer,
  ports: PutEpisodePorts,
  made: (upload: Upload) => void,
): Promise<void> {
  const started = performance.now()
  const claim = orRefuse(readClaim(id, request.headers))
  const complete = uploadComplete(request.headers)
  if (complete === false) return await createUpload(request, response, claim, peer, ports, made)
  refuseIf(plainLengthVerdict(request.headers))
  const passed = await preflight(request, claim, peer, { length: claim.length, resumable: false }, ports)
  using turn = ports.running.begin(passed.key.host, id, claim.length)
  if (!turn) throw inFlight()
  if (claim.expectsContinue) response.writeContinue()
  const done = await receive(request, claim, passed, peer, turn, started, ports)
  answerReceipt(response, done, passed.gate, ports, complete ? { [header.uploadComplete]: '?1' } : {})
}

async function receive(
  request: IncomingMessage,
  claim: Claim,
  { key, gate }: Passed,
  peer: Peer,
  turn: BodyTurn,
  started: number,
  ports: PutEpisodePorts,
): Promise<Stored> {
  try {
    await using incoming = Incoming.create(ports.incomingFolder, ports.hashes)
    await readBody(
      request,
      ports.limits,
      ports.limits.max_episode_size,
      roomWatch((chunk) => incoming.take(chunk), turn, ports),
      ports.cut,
    )
    let head: Inspection | undefined
    const look = (chunks: readonly Buffer[]) => {
      if (ports.inspectMode === 'head') head = inspectSmallHead(chunks, { ...key, stamp: claim.stamp })
    }
    const sha256 = await incoming.finish(claim.sha256, look)
    return await publishEpisode(key, incoming, sha256, { claim, gate, peer, head }, started, ports)
  } catch (error) {
    throw asRefusal(error)
  }
}
