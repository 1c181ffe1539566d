/** The way to the receiver, step by step: name, port, TLS, and whether it lets us in. The first step that fails is named. */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Answer } from '../../core/answer.ts'
import type { Check, Finding } from '../check.ts'

export interface ReceiverReachable {
  readonly url: string
  /** A request that any authorised host may make. It throws where the certificate cannot be loaded. */
  readonly ask: (signal: AbortSignal) => Promise<Answer>
}

export function receiverReachable({ url, ask }: ReceiverReachable): Check {
  return {
    code: 'receiver-reachable',
    title: 'The receiver can be reached',
    severity: 'critical',
    timeout: 20_000,
    depends_on: ['certificate'],
    remedy: `curl -v ${url}/v1/gate shows how far a connection gets`,
    run: async (signal) => {
      const { hostname, port, protocol } = new URL(url)
      const host = hostname.replace(/^\[|\]$/g, '')
      const portNumber = Number(port || (protocol === 'https:' ? 443 : 80))
      const started = performance.now()
      const data = { url, host, port: portNumber }
      const fail = (step: string, text: string): Finding => ({
        outcome: 'fail',
        text: `${step}: ${text}`,
        data: { ...data, step },
      })
      try {
        await lookup(host)
      } catch (error) {
        return fail('DNS', `${host} does not resolve (${messageOf(error)}); check receiver.url and the DNS of this host`)
      }
      const refused = await tryPort(host, portNumber, signal)
      if (refused) return fail('TCP', `nothing answers at ${host}:${portNumber} (${refused}); is cis490-receiver running?`)
      const answer = await ask(signal)
      if (answer.kind === 'fault') {
        const step = ['server-certificate', 'not-tls', 'certificate-refused'].includes(answer.code) ? 'TLS' : 'HTTP'
        return fail(step, answer.message)
      }
      if (answer.status === 200) {
        const ms = Math.round(performance.now() - started)
        return { outcome: 'pass', text: `${url} lets this host in (${ms} ms)`, data: { ...data, round_trip_ms: ms } }
      }
      const { problem } = answer
      if (problem)
        return {
          ...fail('authorised', printable(`${problem.title}: ${problem.detail}`)),
          ...(problem.remediation ? { remedy: printable(problem.remediation.split('\n')[0] ?? '') } : {}),
        }
      return fail('HTTP', `${answer.status} that is not the receiver's; check receiver.url and what stands between`)
    },
  }
}

/** @returns undefined when something accepts, else why not */
async function tryPort(host: string, port: number, signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = connect({ host, port, signal, timeout: 8000 })
  socket.once('connect', () => resolve(undefined))
  socket.once('timeout', () => resolve('no answer within 8 s'))
  socket.once('error', (error) => resolve(messageOf(error)))
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}
