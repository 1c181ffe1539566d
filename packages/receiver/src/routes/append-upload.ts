/** `PATCH /v1/uploads/<u>`: more bytes, and with `Upload-Complete: ?1` the answer that the PUT would have had. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '@cis490/shared/problems.ts'
import { type Append, inconsistent, readAppend } from '../core/upload-request.ts'
import { appendVerdict } from '../core/upload-verdict.ts'
import type { DrainLimits } from '../http/drain.ts'
import type { Peer } from '../http/peer.ts'
import { drainUnread } from '../http/problem.ts'
import type { Upload } from '../store/upload.ts'
import type { FinalAnswer } from '../store/upload-state.ts'
import { type AppendPorts, appendBody } from './append-body.ts'
import { endingWith } from './ending.ts'
import { type FinishPorts, finishUpload } from './finish-upload.ts'
import { admitBody, orRefuse, type PreflightPorts, refuseIf } from './preflight.ts'
import { asRefusal } from './publish-episode.ts'
import { answerReceipt, type ReceiptAnswerPorts } from './receipt-answer.ts'
import { progressHeaders, uploadHeaders } from './upload-answer.ts'

export interface AppendUploadPorts extends PreflightPorts, AppendPorts, FinishPorts, ReceiptAnswerPorts {
  readonly limits: PreflightPorts['limits'] & AppendPorts['limits']
  readonly episodes: PreflightPorts['episodes']
  readonly running: PreflightPorts['running']
  readonly uploads: PreflightPorts['uploads']
  readonly metrics: FinishPorts['metrics']
  readonly drain: DrainLimits
  readonly cut: AbortSignal
}

/** @throws Refusal, BodyCut, Superseded, UploadLost */
export async function appendUpload(
  request: IncomingMessage,
  response: ServerResponse,
  upload: Upload,
  peer: Peer,
  ports: AppendUploadPorts,
): Promise<void> {
  const started = performance.now()
  const append = orRefuse(readAppend(request.headers))
  using ending = endingWith(ports.cut)
  using _turn = await upload.turn(ending.controller)
  if (upload.gone) throw new Refusal('upload-gone', 'there is no such upload any more; create it anew')
  const { offset, finished } = upload
  const verdict = appendVerdict({ offset, length: upload.state.length, finished: finished !== undefined }, append)
  if (verdict.kind === 'refuse' && verdict.invalid) await ports.uploads.remove(upload)
  if (verdict.kind === 'refuse') throw new Refusal(verdict.refused.code, verdict.refused.detail, verdict.refused.members)
  if (finished !== undefined) {
    drainUnread(request, response, ports.drain)
    return answerFinal(response, upload, finished, ports)
  }
  try {
    if (append.contentLength !== 0) await receive(request, response, upload, append, peer, ending.controller.signal, ports)
    else if (append.expectsContinue) response.writeContinue()
    if (!append.complete) {
      response.writeHead(204, progressHeaders(upload, false, ports)).end()
      return
    }
    refuseIf(unfinished(upload))
    answerFinal(response, upload, await finishUpload(upload, peer, started, ports), ports)
  } catch (error) {
    throw asRefusal(error)
  }
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  upload: Upload,
  append: Append,
  peer: Peer,
  ending: AbortSignal,
  ports: AppendUploadPorts,
): Promise<void> {
  ports.admitConnection(peer, request.socket)
  admitBody(upload.state.host, ports)
  const proceed = () => {
    if (append.expectsContinue) response.writeContinue()
  }
  await appendBody(request, upload, { skip: 0, contentDigest: append.contentDigest, proceed }, ending, ports)
}

/** Given once or again, it is the same. @throws Refusal where the episode was refused */
function answerFinal(response: ServerResponse, upload: Upload, final: FinalAnswer, ports: AppendUploadPorts): void {
  if ('problem' in final) throw Refusal.of(final.problem)
  answerReceipt(response, final, upload.state.gate, ports, uploadHeaders(upload, true, ports))
}

/** A chunked body may have ended early. */
function unfinished({ offset, state }: Upload) {
  return offset === state.length ? undefined : inconsistent(`the upload ends at ${offset}, its Upload-Length is ${state.length}`)
}
