/** One exchange with the receiver's CA: its certificates, our request, the new certificate; and the files replaced, in this order. */
import type { X509Certificate } from 'node:crypto'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import { estPath, header, mediaType } from '@cis490/shared/protocol.ts'
import { joined, keepAuthorities } from '../certs/authorities.ts'
import { faultOfIssued, readCertificates } from '../certs/issued.ts'
import { pendingKey, signingRequest } from '../certs/pending.ts'
import type { Failure } from '../certs/record.ts'
import { swapPair } from '../certs/swap.ts'
import type { AgentConfig } from '../config.ts'
import type { Answer } from '../core/answer.ts'
import { retryAfterMs } from '../core/backoff.ts'
import type { Client } from '../ship/client.ts'

export interface EnrollFailure extends Failure {
  /** The receiver asked for as many milliseconds. */
  readonly retryAfter?: number | undefined
}

export type Enrolled = { readonly certificate: X509Certificate } | EnrollFailure

export interface Enrollment {
  readonly config: AgentConfig
  readonly client: Client
  readonly path: string
  /** Kept in `ca_file` beside what the receiver tells. */
  readonly known: readonly X509Certificate[]
  readonly headers?: Record<string, string>
  readonly now: () => number
  readonly signal?: AbortSignal | undefined
}

/** Whatever fails before the last step leaves the pair as it was. */
export async function enroll(enrollment: Enrollment): Promise<Enrolled> {
  const { config, client, path, known, now, signal } = enrollment
  const files = config.receiver
  const told = await client.request('GET', estPath.cacerts, { signal, quick: true })
  const authorities = told.kind === 'answer' && told.status === 200 ? readCertificates(told.body) : failureOf(told, now())
  if (typeof authorities === 'string') return notUsable('list of CA certificates', authorities)
  if ('code' in authorities) return authorities
  const closed = await unwritable(files)
  if (closed) return closed
  const { key } = await pendingKey(files.key_file)
  const headers = { ...enrollment.headers, 'content-type': mediaType.pkcs10 }
  const body = signingRequest(client.host, key)
  const answer = await client.request('POST', path, { headers, body, signal, quick: true })
  if (answer.kind === 'fault' || answer.status !== 200) return failureOf(answer, now())
  const issued = readCertificates(answer.body)
  const certificate = typeof issued === 'string' ? undefined : issued[0]
  const fault = certificate ? faultOfIssued(certificate, { host: client.host, key, authorities, now: now() }) : String(issued)
  if (!certificate || fault !== undefined) return notUsable('certificate', fault ?? '')
  // Before the pair: what the receiver shows next may be from the successor.
  await keepAuthorities(files.ca_file, joined(known, authorities, now()))
  await swapPair(files, certificate.toString())
  return { certificate }
}

function notUsable(what: string, fault: string): EnrollFailure {
  return { code: 'answer-not-usable', message: `the receiver's answer is no ${what} for this host: ${fault}` }
}

/** @returns undefined where the files can be replaced */
async function unwritable(files: AgentConfig['receiver']): Promise<EnrollFailure | undefined> {
  for (const path of [files.key_file, files.cert_file]) {
    const dir = dirname(path)
    try {
      await makeDir(dir)
      await access(dir, constants.W_OK | constants.X_OK)
    } catch (error) {
      const why = messageOf(error).split(',')[0]
      return {
        code: 'files-not-writable',
        message: `cannot write to ${dir} (${why}): name files below the agent's state folder in receiver.cert_file, key_file and ca_file, or run this as their owner`,
      }
    }
  }
  return undefined
}

export const noAuthority = 'no-ca'

/** An answer that brings no certificate, in words. */
function failureOf(answer: Answer, now: number): EnrollFailure {
  if (answer.kind === 'fault') return { code: answer.code, message: answer.message }
  const { status, problem } = answer
  const retryAfter = retryAfterMs(answer.headers[header.retryAfter], now)
  if (status === 404 || status === 405 || status === 501)
    return { code: noAuthority, message: 'the receiver has no CA of its own: this certificate is for the site to renew' }
  if (status === 202) return { code: 'pending', message: 'the receiver has not decided about the request yet', retryAfter }
  const cure = problem?.remediation === undefined ? '' : `; ${problem.remediation}`
  const said = problem ? `${problem.title}: ${problem.detail}${cure}` : 'not an answer of the receiver'
  return { code: problem?.code ?? `status-${status}`, message: printable(`${status} ${said}`), retryAfter }
}
