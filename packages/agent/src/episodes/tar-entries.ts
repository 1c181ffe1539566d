/** The entries of an archive of ours, from header to header: what lies between is neither read nor decoded. */
import { type ArchiveReader, ArchiveUnreadable } from './archive-reader.ts'
import { padding } from './tar-header.ts'

const block = 512
const maxPaxBytes = 1 << 20
const types = { '0': 'file', '\0': 'file', '5': 'folder', '2': 'link' } as const

export interface ArchiveEntry {
  /** As stored; bytes as characters. */
  readonly name: string
  readonly type: 'file' | 'folder' | 'link'
  readonly mode: number
  readonly size: number
  /** Seconds, as stored. */
  readonly mtime: number
  readonly target: string
  /** Where its bytes begin in the content of the archive. */
  readonly at: number
}

/** @throws ArchiveUnreadable */
export function* tarEntries(archive: ArchiveReader): Generator<ArchiveEntry> {
  let pax: ReadonlyMap<string, string> = new Map()
  for (let at = 0; ; ) {
    const header = archive.readExactly(at, block)
    if (header.every((byte) => byte === 0)) return
    mustAddUp(header, at)
    const flag = header.toString('latin1', 156, 157)
    const size = Number(pax.get('size') ?? octal(header, 124, 12))
    if (!Number.isSafeInteger(size) || size < 0) throw new ArchiveUnreadable(`the tar header at byte ${at} has no size`)
    at += block
    if (flag === 'x') {
      if (size > maxPaxBytes) throw new ArchiveUnreadable(`the tar header at byte ${at - block} is longer than any of ours`)
      pax = paxRecords(archive.readExactly(at, size).toString('latin1'))
    } else {
      if (!Object.hasOwn(types, flag)) throw new ArchiveUnreadable(`it has an entry of the type "${flag}", which is none of ours`)
      yield entryOf(header, types[flag as keyof typeof types], pax, size, at)
      pax = new Map()
    }
    at += size + padding(size)
  }
}

function entryOf(
  header: Buffer,
  type: ArchiveEntry['type'],
  pax: ReadonlyMap<string, string>,
  size: number,
  at: number,
): ArchiveEntry {
  const prefix = field(header, 345, 155)
  const name = field(header, 0, 100)
  return {
    name: pax.get('path') ?? (prefix === '' ? name : `${prefix}/${name}`),
    type,
    mode: octal(header, 100, 8),
    size,
    mtime: Number(pax.get('mtime') ?? octal(header, 136, 12)),
    target: pax.get('linkpath') ?? field(header, 157, 100),
    at,
  }
}

function mustAddUp(header: Buffer, at: number): void {
  let sum = 8 * 0x20
  for (let k = 0; k < block; k++) if (k < 148 || k >= 156) sum += header[k] as number
  if (sum !== octal(header, 148, 8)) throw new ArchiveUnreadable(`there is no tar header at byte ${at} of its content`)
}

function field(header: Buffer, at: number, width: number): string {
  const text = header.toString('latin1', at, at + width)
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}

function octal(header: Buffer, at: number, width: number): number {
  return Number.parseInt(field(header, at, width).trim(), 8)
}

/** `<length> <key>=<value>\n`, one after the other: a value may hold a newline. */
function paxRecords(text: string): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(' ', at)
    const length = Number(text.slice(at, space))
    const equals = text.indexOf('=', space)
    if (!(length > 0) || equals < 0) throw new ArchiveUnreadable('a tar header of it is damaged')
    records.set(text.slice(space + 1, equals), text.slice(equals + 1, at + length - 1))
    at += length
  }
  return records
}
