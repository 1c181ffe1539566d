/** `GET /v1/gate`: the commit set, and with `?commit=` its verdict for the calling host. */
import type { GateAnswer } from '@cis490/shared/gate-answer.ts'
import type { HostName } from '@cis490/shared/ids.ts'

export interface GatePorts {
  status(): GateAnswer
  answerFor(commit: string, host: HostName | undefined): Promise<GateAnswer>
}

export async function getGate(commit: string | undefined, host: HostName | undefined, gate: GatePorts): Promise<Response> {
  const answer = commit === undefined ? gate.status() : await gate.answerFor(commit, host)
  return Response.json(answer, { headers: { 'cache-control': 'no-store' } })
}
