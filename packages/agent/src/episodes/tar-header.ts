/** tar headers: ustar, with a pax header in front where ustar cannot say it (sub-second times, long or non-ASCII names, 8 GiB and more). */

const block = 512
const maxOctal11 = 0o77777777777

export interface TarMember {
  /** Whole path in the archive; bytes as characters. Folders end in a slash. */
  readonly name: string
  readonly type: 'file' | 'folder' | 'link'
  readonly mode: number
  readonly size: number
  readonly mtime_ns: bigint
  readonly target?: string
}

const typeFlag = { file: '0', folder: '5', link: '2', pax: 'x' } as const

/** Zero bytes that fill a file of this size up to whole blocks. */
export function padding(size: number): number {
  return (block - (size % block)) % block
}

/** Two empty blocks. */
export const endOfArchive: Buffer = Buffer.alloc(2 * block)

/** The same member gives the same bytes; owner and group are left out. */
export function tarHeader(member: TarMember, root: string): Buffer {
  const seconds = Number(member.mtime_ns / 1_000_000_000n)
  const split = splitName(member.name)
  const target = member.target ?? ''
  const whole = member.mtime_ns >= 0n && seconds <= maxOctal11
  let records = ''
  if (split === undefined || !isAscii(member.name)) records += paxRecord('path', member.name)
  if (target.length > 100 || !isAscii(target)) records += paxRecord('linkpath', target)
  if (member.size > maxOctal11) records += paxRecord('size', String(member.size))
  if (!whole || member.mtime_ns % 1_000_000_000n !== 0n) records += paxRecord('mtime', decimalSeconds(member.mtime_ns))
  const paxBytes = records === '' ? 0 : block + records.length + padding(records.length)
  const bytes = Buffer.alloc(paxBytes + block)
  if (records !== '') {
    const fields = {
      prefix: root,
      name: 'PaxHeaders',
      flag: typeFlag.pax,
      mode: 0o644,
      size: records.length,
      mtime: 0,
      target: '',
    }
    ustar(bytes, 0, fields)
    bytes.write(records, block, 'latin1')
  }
  ustar(bytes, paxBytes, {
    ...(split ?? { prefix: '', name: member.name.slice(0, 100) }),
    flag: typeFlag[member.type],
    mode: member.mode,
    size: member.size > maxOctal11 ? 0 : member.size,
    mtime: whole ? seconds : 0,
    target: target.slice(0, 100),
  })
  return bytes
}

interface Fields {
  readonly prefix: string
  readonly name: string
  readonly flag: string
  readonly mode: number
  readonly size: number
  readonly mtime: number
  readonly target: string
}

/** Into zeros. */
function ustar(into: Buffer, at: number, { prefix, name, flag, mode, size, mtime, target }: Fields): void {
  const head =
    `${name.padEnd(100, '\0')}${octal(mode, 8)}${octal(0, 8)}${octal(0, 8)}${octal(size, 12)}${octal(mtime, 12)}` +
    `        ${flag}${target.padEnd(100, '\0')}ustar\u000000`
  into.write(head, at, 'latin1')
  into.write(prefix, at + 345, 155, 'latin1')
  let sum = 0
  for (let k = at; k < at + block; k++) sum += into[k] as number
  into.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length
  return `${length}${rest}`
}

function decimalSeconds(ns: bigint): string {
  const sign = ns < 0n ? '-' : ''
  const positive = ns < 0n ? -ns : ns
  const fraction = String(positive % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${sign}${positive / 1_000_000_000n}${fraction && `.${fraction}`}`
}

/** ustar's two fields, divided at a slash. @returns undefined when the name does not fit */
function splitName(name: string): { prefix: string; name: string } | undefined {
  if (name.length <= 100) return { prefix: '', name }
  for (let at = name.indexOf('/', name.length - 101); at > 0 && at < name.length - 1; at = name.indexOf('/', at + 1))
    if (at <= 155) return { prefix: name.slice(0, at), name: name.slice(at + 1) }
  return undefined
}

/** Of a text with a character a byte. */
export function isAscii(text: string): boolean {
  for (let k = 0; k < text.length; k++) if (text.charCodeAt(k) > 0x7f) return false
  return true
}
