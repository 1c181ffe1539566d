/** Archives of raw clients, made without a compressor: valid tar, valid zstd, blocks as they are. Agents send compressed ones. */

const block = 512
/** A zstd block holds at most so much. */
const zstdBlock = 128 << 10
const magic = 0xfd2fb528
/** Single segment, content size in four bytes, no checksum, no dictionary. */
const frameDescriptor = 0xa0

export interface Telemetry {
  readonly id: string
  readonly commit: string
  readonly variant: number
  readonly payload: Buffer
}

/** meta.json first, then a file below the episode's folder. */
export function rawArchive({ id, commit, variant, payload }: Telemetry): Buffer {
  const meta = Buffer.from(JSON.stringify({ schema_version: 1, episode_id: id, code_version: { commit }, variant }))
  const size = 2 * block + padded(meta.length) + padded(payload.length) + 2 * block
  const blocks = Math.ceil(size / zstdBlock)
  const tar = Buffer.alloc(size)
  const second = entry(tar, 0, `${id}/meta.json`, meta)
  entry(tar, second, `${id}/telemetry.bin`, payload)
  const out = Buffer.allocUnsafe(9 + blocks * 3 + size)
  out.writeUInt32LE(magic, 0)
  out.writeUInt8(frameDescriptor, 4)
  let at = out.writeUInt32LE(size, 5)
  for (let from = 0; from < size; from += zstdBlock) {
    const bytes = Math.min(zstdBlock, size - from)
    // Bit 0: the last block; type 0: as it is.
    at = out.writeUIntLE((bytes << 3) | (from + bytes === size ? 1 : 0), at, 3)
    at += tar.copy(out, at, from, from + bytes)
  }
  return out
}

/** @returns where the next entry begins */
function entry(tar: Buffer, at: number, path: string, body: Buffer): number {
  tar.write(path, at, 100, 'latin1')
  const numbers = ['0000644\0', '0000000\0', '0000000\0', octal(body.length), octal(1_700_000_000), '        ', '0']
  let field = at + 100
  for (const text of numbers) field += tar.write(text, field, 'latin1')
  tar.write('ustar\0' + '00', at + 257, 'latin1')
  let sum = 0
  for (let k = at; k < at + block; k++) sum += tar[k] as number
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
  body.copy(tar, at + block)
  return at + block + padded(body.length)
}

function octal(number: number): string {
  return `${number.toString(8).padStart(11, '0')}\0`
}

function padded(bytes: number): number {
  return Math.ceil(bytes / block) * block
}
