/** The bytes of an append on a disk that fills up in the middle of a batch. */
import { randomBytes } from 'node:crypto'
import { statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { HashPool } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { PartFile } from '../../../packages/receiver/src/store/part-file.ts'
import { testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'
import { sha256 } from '../../support/wire.ts'

const mebibyte = 1 << 20

testOnTinyDisk(
  'a batch of which the disk took a part: the hash of what is there is known, and nobody waits for the rest',
  async () => {
    const disk = tinyDisk(8)
    const path = join(disk, 'u.part')
    writeFileSync(path, '')
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize - 1.5 * mebibyte))
    await using hashes = new HashPool(1, () => undefined)
    const whole = randomBytes(3 * mebibyte)
    const hash = hashes.running(whole.length)
    await using part = await PartFile.open(path, 0, hash)
    for (let at = 0; at < whole.length; at += mebibyte)
      void part.take(Buffer.from(Uint8Array.from(whole.subarray(at, at + mebibyte)).buffer))
    expect(await part.flush()).toMatchObject({ code: 'ENOSPC' })
    expect(part.written).toBe(1.5 * mebibyte)
    await part.know()
    expect(hash.known(part.written)).toBe(sha256(whole.subarray(0, part.written)))
  },
)
