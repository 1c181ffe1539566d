/** The token by which a new host gets its first certificate: `<id>.<secret>.<SHA-256 of the CA certificate>`. */

export interface JoinToken {
  /** The whole text: the password. */
  readonly text: string
  /** Names it in the receiver's list; no secret. */
  readonly id: string
  /** SHA-256 of the CA certificate's DER, lower-case hexadecimal. */
  readonly caPin: string
}

/** @returns what is wrong with it, without showing it, where it is none */
export function parseJoinToken(given: string): JoinToken | string {
  const text = given.trim()
  if (text === '') return 'it is empty'
  const parts = text.split('.')
  if (parts.length !== 3) return `it has ${parts.length} of 3 parts with dots between them: copy all of it`
  const [id = '', secret = '', caPin = ''] = parts
  if (!/^[0-9a-f]{8}$/.test(id)) return 'its first part is not 8 hexadecimal digits'
  if (!/^[A-Za-z0-9_-]{43}$/.test(secret)) return 'its second part is not 43 characters of base64url: copy all of it'
  if (!/^[0-9a-f]{64}$/.test(caPin)) return 'its third part is not 64 hexadecimal digits: copy all of it'
  return { text, id, caPin }
}
