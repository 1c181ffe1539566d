/** The signature of a push event: HMAC-SHA256 over the raw body, as bare hex. */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** Constant-time. False without a header or with an empty secret: an unsigned hook is never ours. */
export function signatureIsValid(rawBody: Buffer, header: string | undefined, secret: string): boolean {
  if (secret === '' || header === undefined || !/^[0-9a-f]{64}$/i.test(header)) return false
  const expected = createHmac('sha256', secret).update(rawBody).digest()
  return timingSafeEqual(expected, Buffer.from(header, 'hex'))
}
