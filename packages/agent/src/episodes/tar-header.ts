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
  const records: [string, string][] = []
  if (split === undefined || !isAscii(member.name)) records.push(['path', member.name])
  if (target.length > 100 || !isAscii(target)) records.push(['linkpath', target])
  if (member.size > maxOctal11) records.push(['size', String(member.size)])
  const whole = member.mtime_ns >= 0n && seconds <= maxOctal11
  if (!whole || member.mtime_ns % 1_000_000_000n !== 0n) records.push(['mtime', decimalSeconds(member.mtime_ns)])
  const fields = {
    ...(split ?? { prefix: '', name: member.name.slice(0, 100) }),
    flag: typeFlag[member.type],
    mode: member.mode,
    size: member.size > maxOctal11 ? 0 : member.size,
    mtime: whole ? seconds : 0,
    target: target.slice(0, 100),
  }
  return records.length === 0 ? ustar(fields) : Buffer.concat([pax(records, root), ustar(fields)])
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

function ustar({ prefix, name, flag, mode, size, mtime, target }: Fields): Buffer {
  const header = Buffer.alloc(block)
  const octal = (value: number, at: number, width: number) =>
    header.write(value.toString(8).padStart(width - 1, '0'), at, 'latin1')
  header.write(name, 0, 100, 'latin1')
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(mtime, 136, 12)
  header.write('        ', 148, 'latin1')
  header.write(flag, 156, 'latin1')
  header.write(target, 157, 100, 'latin1')
  header.write('ustar\u000000', 257, 'latin1')
  header.write(prefix, 345, 155, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

function pax(records: readonly [string, string][], root: string): Buffer {
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(''), 'latin1')
  const fields = { prefix: root, name: 'PaxHeaders', flag: typeFlag.pax, mode: 0o644, size: body.length, mtime: 0, target: '' }
  return Buffer.concat([ustar(fields), body, Buffer.alloc(padding(body.length))])
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

function isAscii(text: string): boolean {
  for (let k = 0; k < text.length; k++) if (text.charCodeAt(k) > 0x7f) return false
  return true
}
