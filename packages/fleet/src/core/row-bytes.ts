/**
 * Looking at the bytes of a row without making strings of them: 4 bytes at a time as a little-endian integer, or 8 as a float.
 * Readers may look a few words past the end of a row; what lies there never decides, because no accepted byte is a newline.
 */

/** Bytes that must be readable behind the last newline. */
export const slack = 128

const flags = 0x80808080 | 0

/**
 * Text of at least 8 ASCII characters as the floats that `hasEight` compares: at 0, 8, ..., and the last at length - 8, where it may overlap.
 * They are given one by one, because a loop over them costs more than they do.
 */
export function eightsOf(text: string): [number, number, number] {
  const view = new DataView(Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer)
  const at = (place: number) => view.getFloat64(Math.min(place, text.length - 8), true)
  return [at(0), at(8), at(16)]
}

/** The same for 4 to 8 characters, as integers. */
export function foursOf(text: string): [number, number] {
  const at = (place: number) => [0, 1, 2, 3].reduce((word, k) => word | (text.charCodeAt(place + k) << (8 * k)), 0)
  return [at(0), at(text.length - 4)]
}

/** @param eight of ASCII text. No such text is a zero or no number, so floats are equal exactly where their bytes are */
export function hasEight(view: DataView, at: number, eight: number): boolean {
  return view.getFloat64(at, true) === eight
}

export function hasFour(view: DataView, at: number, four: number): boolean {
  return view.getInt32(at, true) === four
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
  return (any & flags) === 0 && (all & 0x30303030) === 0x30303030
}

/** @returns where the plain text that starts at `at` ends: at a quote, a backslash, a newline, ... */
export function endOfText(view: DataView, at: number): number {
  for (let end = at; ; end += 4) {
    const marks = strangers(view.getInt32(end, true))
    if (marks !== 0) return end + firstMark(marks)
  }
}

/**
 * Marks with its highest bit each byte of four that may not stand in a JSON string as it is: control, quote, backslash, or not ASCII.
 * Above the first mark others may be wrong, because a subtraction borrows.
 */
const strangers = (four: number): number =>
  ((four - 0x20202020) | ((four ^ 0x22222222) - 0x01010101) | ((four ^ 0x5c5c5c5c) - 0x01010101) | four) & flags

/** @returns where the JSON integer that starts at `at` ends; `at` where there is none: no digit, or a leading zero */
export function endOfDigits(view: DataView, at: number): number {
  for (let end = at; ; end += 4) {
    const nibbles = view.getInt32(end, true) ^ 0x30303030
    const marks = ((nibbles + 0x76767676) | nibbles) & flags
    if (marks === 0) continue
    end += firstMark(marks)
    return end > at + 1 && view.getUint8(at) === 0x30 ? at : end
  }
}

/** @param marks not zero. @returns which byte, 0 to 3, is the first that is marked */
const firstMark = (marks: number): number => (31 - Math.clz32(marks & -marks)) >>> 3
