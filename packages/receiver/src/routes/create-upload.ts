/** `PUT /v1/episodes/<id>.tar.zst` with `Upload-Complete: ?0`: makes an upload resource, or finds the open one. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HostName } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { header } from '@cis490/shared/protocol.ts'
import type { Claim } from '../core/claim.ts'
import { openUploadsVerdict } from '../core/load.ts'
import { type Creation, readCreation } from '../core/upload-request.ts'
import type { DrainLimits } from '../http/drain.ts'
import type { Peer } from '../http/peer.ts'
import { drainUnread } from '../http/problem.ts'
import type { Upload } from '../store/upload.ts'
import type { Uploads } from '../store/uploads.ts'
import { type AppendPorts, appendBody, type Body } from './append-body.ts'
import { endingWith } from './ending.ts'
import { admitBody, inFlight, orRefuse, type Passed, type PreflightPorts, preflight, refuseIf, uploadFacts } from './preflight.ts'
import { already, asRefusal } from './publish-episode.ts'
import { answerReceipt, type ReceiptAnswerPorts } from './receipt-answer.ts'
import { progressHeaders, uploadPath } from './upload-answer.ts'

export interface CreateUploadPorts extends PreflightPorts, AppendPorts, ReceiptAnswerPorts {
  readonly limits: PreflightPorts['limits'] & AppendPorts['limits']
  readonly uploads: Uploads
  readonly drain: DrainLimits
  readonly cut: AbortSignal
  readonly log: Logger
}

/** @param made told the upload, once there is one, so that a failure of its body can be told with the offset */
export async function createUpload(
  request: IncomingMessage,
  response: ServerResponse,
  claim: Claim,
  peer: Peer,
  ports: CreateUploadPorts,
  made: (upload: Upload) => void,
): Promise<void> {
  const creation = orRefuse(readCreation(request.headers))
  const passed = await preflight(request, claim, peer, { length: creation.length, resumable: true }, ports)
  if (passed.stored) {
    drainUnread(request, response, ports.drain)
    answerReceipt(response, already(passed.stored, claim.sha256), passed.gate, ports, { [header.uploadComplete]: '?1' })
    return
  }
  const upload = await openOrMake(claim, creation, passed, ports).catch((error: unknown) => {
    throw asRefusal(error)
  })
  made(upload)
  using ending = endingWith(ports.cut)
  using _turn = await upload.turn(ending.controller)
  if (upload.gone) throw new Refusal('upload-gone', 'the upload was cancelled by another request')
  const proceed = () => {
    if (claim.expectsContinue) response.writeContinue()
  }
  if (creation.contentLength !== 0 && upload.finished === undefined)
    await receive(request, upload, { contentDigest: creation.contentDigest, proceed }, ending.controller.signal, ports)
  else drainUnread(request, response, ports.drain)
  response.writeHead(201, { ...progressHeaders(upload, false, ports), location: uploadPath(upload), 'content-length': 0 })
  response.end()
}

async function receive(
  request: IncomingMessage,
  upload: Upload,
  body: Pick<Body, 'contentDigest' | 'proceed'>,
  ending: AbortSignal,
  ports: CreateUploadPorts,
): Promise<void> {
  admitBody(upload.state.host, ports)
  try {
    await appendBody(request, upload, { ...body, skip: upload.offset }, ending, ports)
  } catch (error) {
    throw asRefusal(error)
  }
}

/** Holds the episode's name for as long as the upload is being made, so that no second one is made for the same bytes. */
async function openOrMake(claim: Claim, creation: Creation, { key, gate }: Passed, ports: CreateUploadPorts): Promise<Upload> {
  using held = ports.running.hold(key.host, key.id)
  if (!held) throw inFlight()
  const facts = uploadFacts(claim, creation.length)
  const open = ports.uploads.openFor(key, facts, Date.now())
  if (open) return open
  if (openUploadsVerdict(ports.uploads.openOf(key.host), ports.limits)) await evictOne(key.host, ports)
  refuseIf(openUploadsVerdict(ports.uploads.openOf(key.host), ports.limits))
  const { agentVersion } = claim
  const upload = await ports.uploads.create(
    {
      ...key,
      ...facts,
      gate,
      ...(agentVersion !== undefined && { agent_version: agentVersion }),
    },
    Date.now(),
  )
  ports.metrics.uploadsCreated.inc()
  ports.log.info({ event: 'upload-created', ...key, upload: upload.name, length: creation.length }, 'upload created')
  return upload
}

/** Eight uploads that a host has forgotten must not keep it from sending for days. */
async function evictOne(host: HostName, ports: CreateUploadPorts): Promise<void> {
  const gone = await ports.uploads.evict(host, Date.now())
  if (!gone) return
  const { id, offset } = gone.state
  ports.log.info({ event: 'upload-evicted', host, id, upload: gone.name, offset }, 'a forgotten upload made way for a new one')
}
