/** How a request about an episode ends that did not go well: the answer, the log line, and the row for the monitor. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '@cis490/shared/node/log.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { RejectRow } from '@cis490/shared/rejection.ts'
import { BodyCut, bodyBytesRead } from '../http/body.ts'
import type { DrainLimits } from '../http/drain.ts'
import type { Metrics } from '../http/metrics.ts'
import { answerOf, type ErrorAnswer, refuse } from '../http/problem.ts'
import { rejectRow } from '../http/recorded-refusal.ts'
import { Superseded } from '../store/upload.ts'

export interface FailedPorts {
  readonly log: Logger
  readonly drain: DrainLimits
  readonly metrics: Metrics
  recordRejection(row: RejectRow): Promise<void>
}

export interface About {
  readonly host: string | undefined
  readonly id: string | undefined
  /** Where the request does not carry it itself. */
  readonly stamp?: string | undefined
  /** Header fields of the answer. */
  headers(answer: ErrorAnswer): Readonly<Record<string, string>>
  /** Whether this refusal is a row in rejects.jsonl. */
  recorded(answer: ErrorAnswer): boolean
}

/** Never throws. */
export async function answerFailure(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  about: About,
  ports: FailedPorts,
): Promise<void> {
  const { host, id, stamp } = about
  if (error instanceof BodyCut || error instanceof Superseded || response.headersSent) {
    ports.log.info({ event: 'cut', host, id, bytes: bodyBytesRead(request), reason: String(error) }, 'transfer cut')
    response.destroy()
    return
  }
  const answer = answerOf(error, ports.log)
  const extra: Record<string, string> = {
    ...(answer.problem.code === 'shutting-down' && { connection: 'close' }),
    ...about.headers(answer),
  }
  // The row is for the monitor; a full disk must not keep the answer from the client.
  const rest = refuse(request, response, answer, ports.drain, extra)
  if (!about.recorded(answer)) {
    await rest
    return
  }
  ports.metrics.refused.inc({ code: answer.problem.code })
  const detail = printable(answer.problem.detail)
  ports.log.info({ event: 'refused', host, id, status: answer.status, code: answer.problem.code, detail }, 'upload refused')
  const bytesRead = bodyBytesRead(request)
  await ports
    .recordRejection(rejectRow({ request, answer, host, id, stamp, bytesRead, now: Date.now() }))
    .catch((failure: unknown) => ports.log.error({ err: failure }, 'cannot write rejects.jsonl'))
  await rest
}
