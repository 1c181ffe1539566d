/** Why a host gets no certificate, with the reason that is counted. */
import { Refusal } from '@cis490/shared/problems.ts'
import type { TokenVerdict } from './join-token.ts'
import { type RequestFault, requestFaultText } from './signing-request.ts'

export type JoinFault = Exclude<TokenVerdict, 'good'> | 'used' | 'missing'

/** A failed attempt of the asker: it counts against him. */
export class EstRefusal extends Refusal {
  readonly reason: `token-${JoinFault}` | `csr-${RequestFault}`

  constructor(reason: EstRefusal['reason'], ...rest: ConstructorParameters<typeof Refusal>) {
    super(...rest)
    this.reason = reason
  }
}

const texts: Readonly<Record<JoinFault, string>> = {
  missing: 'HTTP Basic with the host as user name and a join token as password is expected',
  unknown: 'this join token is not known here',
  'other-ca': 'this join token was made for another CA',
  'other-host': 'this join token is for another host than the user name says',
  expired: 'this join token has expired',
  used: 'this join token was used before, for another key',
}

export function joinRefused(why: JoinFault): EstRefusal {
  const remediation = 'on the receiver: cis490-receiver token create --host NAME'
  return new EstRefusal(`token-${why}`, 'join-refused', texts[why], { remediation })
}

export function badRequest(fault: RequestFault): EstRefusal {
  return new EstRefusal(`csr-${fault}`, 'bad-csr', requestFaultText(fault))
}

/** @param what there are too many of @param waitMs until the next is heard */
export function tooMany(what: string, waitMs: number): Refusal {
  return new Refusal('rate', `too many ${what}`, { retry_after_s: Math.ceil(waitMs / 1000) })
}

/** For the metrics: one word, out of a set that ends. */
export function refusalReason(error: unknown): string {
  if (error instanceof EstRefusal) return error.reason
  return error instanceof Refusal ? error.problem.code : 'internal'
}
