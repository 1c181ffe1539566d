/** All bytes of an upload are there: it becomes an episode, or is told why not; the answer is kept for whoever asks again. */
import type { HostName } from '@cis490/shared/ids.ts'
import { removeFile, writeNew } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import type { GateVerdict } from '../core/gate.ts'
import { isFinal } from '../core/upload-verdict.ts'
import type { Peer } from '../http/peer.ts'
import type { Upload } from '../store/upload.ts'
import type { FinalAnswer } from '../store/upload-state.ts'
import type { Uploads } from '../store/uploads.ts'
import { inFlight } from './preflight.ts'
import { type PublishPorts, publishEpisode, type WholeBody } from './publish-episode.ts'
import type { Stored } from './receipt-answer.ts'

export interface FinishPorts extends PublishPorts {
  readonly uploads: Uploads
  /** The deny list alone: the place in the window was judged at creation. */
  askGateAgain(stamp: string | undefined, host: HostName): GateVerdict
}

/**
 * The caller has the upload's turn.
 * @throws Refusal for now; the upload stays as it is and can be finished later
 */
export async function finishUpload(upload: Upload, peer: Peer, started: number, ports: FinishPorts): Promise<FinalAnswer> {
  const answer = await finalAnswer(upload, peer, started, ports)
  const kept = ports.uploads.finish(upload, answer, Date.now())
  // The episode has its row: what is told of it is true whether or not it can be told again.
  await kept.catch((error: unknown) => ports.log.warn({ err: error }, 'the answer of an upload cannot be kept'))
  return answer
}

async function finalAnswer(upload: Upload, peer: Peer, started: number, ports: FinishPorts): Promise<FinalAnswer> {
  const { host, id } = upload.state
  using held = ports.running.hold(host, id)
  if (!held) throw inFlight()
  try {
    const { status, receipt, text } = await publish(upload, peer, started, ports)
    return { status, receipt, text }
  } catch (error) {
    if (error instanceof Refusal && isFinal(error.problem)) return { problem: error.problem }
    // A part that cannot be read stays so: its host sends the bytes anew.
    if (isErrno(error, 'EIO', 'ENOENT') && !ports.inDoubt()) await upload.lose(error)
    throw error
  }
}

async function publish(upload: Upload, peer: Peer, started: number, ports: FinishPorts): Promise<Stored> {
  const { stamp, sha256, gate, schema_version: schemaVersion, agent_version: agentVersion } = upload.state
  const again = ports.askGateAgain(stamp, upload.state.host)
  if (again.kind === 'refuse') throw new Refusal(again.code, again.detail, again.members)
  const { part, sidecar } = upload.paths
  const body: WholeBody = {
    path: part,
    bytes: upload.state.length,
    sidecarPath: sidecar,
    // The bytes are durable already: the offset says so.
    onDisk: () => Promise.resolve(),
    sync: (text) => writeNew(sidecar, text),
  }
  try {
    const told = { claim: { sha256, stamp, schemaVersion, agentVersion }, gate, peer }
    return await publishEpisode(upload.key, body, await upload.sha256(), told, started, ports)
  } finally {
    await removeFile(sidecar)
  }
}
