/** Does the receiver let this host in, with its certificate and its token? */
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Answer } from '../../core/answer.ts'
import type { Check } from '../check.ts'

export interface ReceiverAuthorises {
  readonly url: string
  /** A request that any authorised host may make. It throws where the certificate cannot be loaded. */
  readonly ask: () => Promise<Answer>
}

export function receiverAuthorises({ url, ask }: ReceiverAuthorises): Check {
  return {
    code: 'receiver-authorises',
    title: 'The receiver lets this host in',
    severity: 'critical',
    timeout: 20_000,
    depends_on: ['receiver-tls', 'certificate', 'configured-files'],
    remedy: `curl -v ${url}/v1/gate shows how far a connection gets`,
    run: async () => {
      const began = performance.now()
      let answer: Answer
      try {
        answer = await ask()
      } catch (error) {
        return { outcome: 'fail', text: messageOf(error), remedy: 'cis490-agent check-config says what to set' }
      }
      if (answer.kind === 'fault') return { outcome: 'fail', text: answer.message, data: { code: answer.code } }
      const ms = Math.round(performance.now() - began)
      if (answer.status === 200)
        return {
          outcome: 'pass',
          text: `${url} lets this host in (${ms} ms)`,
          data: { url, round_trip_ms: ms },
          perfdata: [`answer=${ms}ms`],
        }
      const { problem } = answer
      if (problem === undefined)
        return {
          outcome: 'fail',
          text: `${answer.status} that is not the receiver's; check receiver.url and what stands between`,
          data: { status: answer.status },
        }
      return {
        outcome: 'fail',
        text: printable(`${problem.title}: ${problem.detail}`),
        data: { status: answer.status, code: problem.code },
        ...(problem.remediation ? { remedy: printable(problem.remediation.split('\n')[0] ?? '') } : {}),
      }
    },
  }
}
