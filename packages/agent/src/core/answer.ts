/** What one request brought: an answer of whoever answered, or a fault of the way there. */
import type { Problem } from '@cis490/shared/problems.ts'

export interface Answered {
  readonly kind: 'answer'
  readonly status: number
  /** Only our own: `application/problem+json` with a code of the table. */
  readonly problem?: Problem
  /** At most 1 MiB; empty where the answer was longer. */
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Fault {
  readonly kind: 'fault'
  readonly code: FaultCode
  /** One line for a person: what failed and what to do. */
  readonly message: string
}

export type FaultCode =
  | 'name-not-found'
  | 'connection-refused'
  | 'unreachable'
  | 'connect-timeout'
  | 'server-certificate'
  | 'not-tls'
  | 'certificate-refused'
  | 'connection-cut'
  | 'answer-timeout'
  | 'archive-unreadable'
  | 'aborted'

/** Faults after which part of the request may have arrived. */
const exchanged: readonly FaultCode[] = ['connection-cut', 'answer-timeout']

/** True when the receiver may have stored the episode although no answer came. */
export function answerMayBeLost(code: string): boolean {
  return (exchanged as readonly string[]).includes(code)
}

export type Answer = Answered | Fault
