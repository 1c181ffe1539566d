/** The text that lets one host join once, `<id>.<secret>.<pin of the CA>`, and whether it does. */

export interface JoinToken {
  /** 8 hexadecimal digits: which one it is, no secret. */
  readonly id: string
  /** 32 random bytes, base64url. */
  readonly secret: string
  /** Lower-case hex SHA-256 of the CA certificate's DER: how the host knows the receiver before it has the CA. */
  readonly pin: string
}

export function writeToken({ id, secret, pin }: JoinToken): string {
  return `${id}.${secret}.${pin}`
}

/** @returns undefined for whatever is no token */
export function readToken(text: string): JoinToken | undefined {
  const [, id, secret, pin] = /^([0-9a-f]{8})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/.exec(text.trim()) ?? []
  return id === undefined || secret === undefined || pin === undefined ? undefined : { id, secret, pin }
}

export interface TokenFacts {
  readonly host: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  readonly secretFits: boolean
  readonly pinFits: boolean
}

/** `unknown` is told of each token whose secret does not fit, there or not: nothing is to be learnt by asking. */
export type TokenVerdict = 'good' | 'unknown' | 'other-ca' | 'other-host' | 'expired'

/** @param now epoch milliseconds */
export function judgeToken(token: TokenFacts | undefined, host: string, now: number): TokenVerdict {
  if (token === undefined || !token.secretFits) return 'unknown'
  if (!token.pinFits) return 'other-ca'
  if (token.host !== host) return 'other-host'
  return now < token.expiresAt ? 'good' : 'expired'
}
