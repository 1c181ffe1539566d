/** DER as far as certificates need it: tag, length, value. */

export const tag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific: constructed 0, primitive 2. */
  context0: 0xa0,
  context2: 0x82,
} as const

export interface DerValue {
  readonly tag: number
  readonly content: Uint8Array
  /** With tag and length, as it stood. */
  readonly whole: Uint8Array
}

export class DerError extends Error {
  override readonly name = 'DerError'
}

export function der(kind: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(parts)
  return concat([Uint8Array.of(kind, ...lengthOf(content.length)), content])
}

/** @param dotted like `2.5.4.3` */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(tag.oid, Uint8Array.from([40 * first + second, ...rest].flatMap(base128)))
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The values that stand one behind the other. @throws DerError */
export function readDer(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < bytes.length; ) {
    const value = readOne(bytes.subarray(at))
    values.push(value)
    at += value.whole.length
  }
  return values
}

function readOne(bytes: Uint8Array): DerValue {
  const [kind, first] = bytes
  if (kind === undefined || first === undefined) throw new DerError('it ends too soon')
  // 0x80 alone is a length that is not said: BER, not DER.
  if (first === 0x80 || first > 0x84) throw new DerError('a length that DER does not have')
  const more = first < 0x80 ? 0 : first & 0x7f
  if (bytes.length < 2 + more) throw new DerError('it ends too soon')
  const length = more === 0 ? first : bytes.subarray(2, 2 + more).reduce((sum, byte) => sum * 256 + byte, 0)
  const end = 2 + more + length
  if (bytes.length < end) throw new DerError('it ends too soon')
  return { tag: kind, content: bytes.subarray(2 + more, end), whole: bytes.subarray(0, end) }
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return [0x80 | bytes.length, ...bytes]
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 0x7f) | 0x80)
  return bytes
}
