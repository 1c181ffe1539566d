/** Whether a certificate request (PKCS #10) may be granted to a host. Pure: the request was read and its signature checked before. */

export interface RequestedKey {
  /** As node:crypto names it. */
  readonly type: string | undefined
  readonly curve?: string | undefined
  readonly bits?: number | undefined
}

export interface SigningRequest {
  /** The request is signed with the key that it asks a certificate for. */
  readonly signed: boolean
  readonly key: RequestedKey
  /** Lower-cased CNs of its subject and DNS names of its SAN. */
  readonly names: readonly string[]
  /** Names of another kind: addresses, mail, URIs. */
  readonly otherNames: readonly string[]
}

const faults = {
  unreadable: 'the body is no PKCS #10 request in base64',
  unsigned: 'the request is not signed with its own key: it proves no possession of it',
  'key-kind': 'the key has to be P-256, P-384, Ed25519 or RSA',
  'key-size': 'an RSA key has to have 2048 to 8192 bits',
  'other-name': 'the request names something other than the host that asks',
} as const

export type RequestFault = keyof typeof faults
export type RequestVerdict = 'good' | RequestFault

const curves = new Set(['prime256v1', 'secp384r1'])

/** A request without names gets the host's; what else it asks for (extensions, a lifetime) is not looked at: those are ours. */
export function judgeRequest({ signed, key, names, otherNames }: SigningRequest, host: string): RequestVerdict {
  const kind = judgeKey(key)
  if (kind !== 'good') return kind
  if (!signed) return 'unsigned'
  return otherNames.length > 0 || names.some((name) => name !== host) ? 'other-name' : 'good'
}

/** Before the signature is checked: that of a huge RSA key would cost seconds. */
export function judgeKey({ type, curve, bits = 0 }: RequestedKey): RequestVerdict {
  if (type === 'ed25519') return 'good'
  if (type === 'ec') return curves.has(curve ?? '') ? 'good' : 'key-kind'
  if (type !== 'rsa') return 'key-kind'
  return bits >= 2048 && bits <= 8192 ? 'good' : 'key-size'
}

export function requestFaultText(fault: RequestFault): string {
  return faults[fault]
}
