/**
 * Looking at the bytes of a row without making strings of them: four bytes at a time, as one little-endian word.
 * Readers may look a few words past the end of a row; what lies there never decides, because no accepted byte is a newline.
 */

/** Bytes that must be readable behind the last newline. */
export const slack = 128

/** Byte -> 1 where it may stand in a JSON string as it is: printable ASCII without quote and backslash. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) => Number(byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c))

/**
 * Text of at least 4 ASCII characters as the words that `hasWord` compares: at 0, 4, 8, ..., and the last at length - 4, where it may overlap.
 * They are given one by one, because a loop over them costs more than they do.
 */
export function wordsOf(text: string): [number, number, number, number, number, number] {
  const places = Array.from({ length: 6 }, (_, k) => Math.min(4 * k, text.length - 4))
  return places.map((at) => wordAt(text, at)) as [number, number, number, number, number, number]
}

function wordAt(text: string, at: number): number {
  return [0, 1, 2, 3].reduce((word, k) => word | (text.charCodeAt(at + k) << (8 * k)), 0)
}

export function hasWord(view: DataView, at: number, word: number): boolean {
  return view.getInt32(at, true) === word
}

/**
 * Whether `length` bytes (a multiple of 8) are of 0-9 : ; < = > ? ` a-z { | } ~ or DEL. Hex digits are; quote, backslash, control
 * characters and everything beyond ASCII are not. Of each byte: bit 7 is clear, bit 5 is set, and so is bit 4 or 6.
 */
export function isHexLike(view: DataView, at: number, length: number): boolean {
  let any = 0
  let all = -1
  for (let k = at; k < at + length; k += 8) {
    const low = view.getInt32(k, true)
    const high = view.getInt32(k + 4, true)
    any |= low | high
    all &= (low | (low >>> 2)) & (high | (high >>> 2))
  }
  return (any & 0x80808080) === 0 && (all & 0x30303030) === 0x30303030
}

/** @returns where the plain text that starts at `at` ends: at a quote, a backslash, a newline, ... */
export function endOfText(bytes: Uint8Array, at: number): number {
  let end = at
  while (plain[bytes[end] as number] === 1) end += 1
  return end
}

/** @returns where the JSON integer that starts at `at` ends; `at` where there is none: no digit, or a leading zero */
export function endOfDigits(bytes: Uint8Array, at: number): number {
  let end = at
  while (isDigit(bytes[end] as number)) end += 1
  return bytes[at] === 0x30 && end > at + 1 ? at : end
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** The number that `count` digits write, or NaN where one is no digit. */
export function digitsAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let k = at; k < at + count; k++) {
    const byte = bytes[k] as number
    if (!isDigit(byte)) return Number.NaN
    value = value * 10 + byte - 0x30
  }
  return value
}
