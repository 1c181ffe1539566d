/** A body goes to the end of an upload. However it ends, what arrived is kept and durable before anybody is answered. */
import { createHash, type Hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Refusal } from '@cis490/shared/problems.ts'
import { tooMuch } from '../core/upload-verdict.ts'
import { readBody } from '../http/body.ts'
import type { Metrics } from '../http/metrics.ts'
import type { UploadsRunning } from '../http/uploads-running.ts'
import type { Upload } from '../store/upload.ts'
import { settleBytes, UploadPart } from '../store/upload-part.ts'
import type { Uploads } from '../store/uploads.ts'
import { type RoomPorts, roomWatch } from './room-watch.ts'

export interface AppendPorts extends RoomPorts {
  readonly limits: RoomPorts['limits'] & { readonly idle_timeout: number; readonly min_rate: number }
  readonly uploads: Uploads
  readonly running: UploadsRunning
  readonly metrics: Metrics
}

export interface Body {
  /** Bytes at its beginning that the upload has already. */
  readonly skip: number
  /** SHA-256 that the body says of itself, hex. */
  readonly contentDigest: string | undefined
  /** Asks for the body, where the client waits for that. */
  proceed(): void
}

/**
 * The caller has the upload's turn.
 * @param ending aborted with the reason when somebody else needs the turn
 * @throws Refusal, BodyCut, Superseded, UploadLost or the system's error
 */
export async function appendBody(
  request: IncomingMessage,
  upload: Upload,
  body: Body,
  ending: AbortSignal,
  ports: AppendPorts,
): Promise<void> {
  using turn = ports.running.body(upload.state.host)
  const before = upload.offset
  const options = {
    maxAgeMs: ports.uploads.maxAgeMs,
    now: Date.now,
    settleBytes: body.contentDigest === undefined ? settleBytes : undefined,
  }
  await using part = await UploadPart.open(upload, options)
  const digest = createHash('sha256')
  const take = roomWatch(taker(upload, part, body, digest), turn, ports)
  try {
    const reading = readBody(request, ports.limits, Number.POSITIVE_INFINITY, take, ending)
    // Not before somebody listens: what comes and is cut before that is lost.
    body.proceed()
    await reading
    if (body.contentDigest !== undefined && digest.digest('hex') !== body.contentDigest) {
      await part.takeBack()
      throw new Refusal('sha256-mismatch', 'Content-Digest is of other bytes than came; they were not appended')
    }
    await part.settle()
  } catch (error) {
    if (error instanceof TooMuch) {
      // An offset that is being written right now would bring the upload back.
      await part.takeBack().catch(() => undefined)
      await ports.uploads.remove(upload)
      const { code, detail } = tooMuch(upload.state.length)
      throw new Refusal(code, detail)
    }
    if (!upload.gone) await part.settle()
    throw error
  } finally {
    ports.metrics.bytesAppended.inc(upload.offset - before)
  }
}

class TooMuch extends Error {}

function taker(upload: Upload, part: UploadPart, { skip, contentDigest }: Body, digest: Hash) {
  let toSkip = skip
  return (chunk: Buffer) => {
    if (contentDigest !== undefined) digest.update(chunk)
    const fresh = chunk.subarray(Math.min(toSkip, chunk.length))
    toSkip -= chunk.length - fresh.length
    if (upload.taken + fresh.length > upload.state.length) throw new TooMuch()
    return fresh.length === 0 ? undefined : part.take(fresh)
  }
}
