/** Reads a header of a tar as most are: a name, a size, no extension. Whatever else a header may say is left to the library, which takes four times as long. */

export const tarBlock = 512
/** The place of the checksum counts as blanks. */
const checksum = { at: 148, length: 8, asBlanks: 8 * 0x20 }
/** Where the numbers begin that nobody looks at. The highest bit says that one is binary, and the library takes not every such one. */
const otherNumbers = [100, 108, 116, 136, 329, 337, 476, 488]
const ustar = 'ustar\u000000'
const types: Readonly<Record<string, PlainHeader['type']>> = { '0': 'File', '2': 'SymbolicLink', '5': 'Directory' }

export interface PlainHeader {
  readonly path: string
  /** Bytes of the body that follows. */
  readonly size: number
  readonly type: 'File' | 'Directory' | 'SymbolicLink'
  readonly linkpath: string
}

/** @param at where the block begins. @returns `end` for a block of zeros, undefined for what is damaged or not plain */
export function readPlainHeader(tar: Buffer, at: number): PlainHeader | 'end' | undefined {
  const sum = sumOf(tar, at)
  if (sum === checksum.asBlanks) return tar[at + checksum.at] === 0 ? 'end' : undefined
  if (octal(tar, at + checksum.at, checksum.length) !== sum) return undefined
  if (otherNumbers.some((k) => (tar[at + k] as number) >= 0x80)) return undefined
  const type = types[String.fromCharCode(tar[at + 156] as number)]
  const size = octal(tar, at + 124, 12)
  const name = text(tar, at, 100)
  const prefix = prefixOf(tar, at)
  const linkpath = text(tar, at + 157, 100)
  if (!type || size === undefined || !name || prefix === undefined || linkpath === undefined) return undefined
  // Some write a folder as a file with a slash, or with a size that is not there.
  if (type === 'File' && name.endsWith('/')) return undefined
  return { path: prefix === '' ? name : `${prefix}/${name}`, size: type === 'Directory' ? 0 : size, type, linkpath }
}

/** Of a long name its beginning; other formats have other things there. */
function prefixOf(tar: Buffer, at: number): string | undefined {
  if (tar.toString('latin1', at + 257, at + 265) !== ustar) return ''
  return text(tar, at + 345, tar[at + 475] === 0 ? 130 : 155)
}

function sumOf(tar: Buffer, at: number): number {
  let sum = checksum.asBlanks
  for (let k = at; k < at + checksum.at; k++) sum += tar[k] as number
  for (let k = at + checksum.at + checksum.length; k < at + tarBlock; k++) sum += tar[k] as number
  return sum
}

/** Digits that end in NUL or a blank. */
function octal(tar: Buffer, at: number, length: number): number | undefined {
  let value = 0
  for (let k = at; k < at + length; k++) {
    const byte = tar[k] as number
    if (byte === 0 || byte === 0x20) return k === at ? undefined : value
    if (byte < 0x30 || byte > 0x37) return undefined
    value = value * 8 + byte - 0x30
  }
  return undefined
}

/** Up to the first NUL; what lies behind it has to be nothing. */
function text(tar: Buffer, at: number, length: number): string | undefined {
  let end = at
  while (end < at + length && tar[end] !== 0) end += 1
  for (let k = end; k < at + length; k++) if (tar[k] !== 0) return undefined
  return tar.toString('utf8', at, end)
}
