/** The quick reader of tar headers against the library's, on headers of every kind. */
import fc from 'fast-check'
import { Header } from 'tar'
import { expect, test } from 'vitest'
import { readPlainHeader, tarBlock } from '../../../packages/receiver/src/archive/plain-header.ts'

/** As another program may write it: any bytes in any field, under a checksum that holds. */
function sealed(block: Buffer): Buffer {
  block.fill(0x20, 148, 156)
  const sum = block.reduce((all, byte) => all + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

const plain = fc
  .record({
    path: fc.constantFrom('meta.json', 'ep-1/meta.json', 'ep-1/', 'ordner/größe', `${'d/'.repeat(60)}x`, `${'d'.repeat(120)}/x`),
    type: fc.constantFrom('File' as const, 'Directory' as const, 'SymbolicLink' as const, 'Link' as const, 'FIFO' as const),
    size: fc.nat({ max: 0o77777777777 }),
    linkpath: fc.constantFrom('', 'a', '../b'),
  })
  .map((fields) => {
    const block = Buffer.alloc(tarBlock)
    new Header({ ...fields, mode: 0o644, mtime: new Date(1e12) }).encode(block)
    return block
  })

const changed = fc
  .tuple(plain, fc.array(fc.tuple(fc.nat(tarBlock - 1), fc.nat(255)), { maxLength: 3 }), fc.boolean())
  .map(([block, changes, seal]) => {
    for (const [at, byte] of changes) block[at] = byte
    return seal ? sealed(block) : block
  })

test('what is read of a header is what the library reads', () => {
  let read = 0
  fc.assert(
    fc.property(changed, (block) => {
      const quick = readPlainHeader(block, 0)
      if (quick === undefined) return
      read += 1
      const header = new Header(block, 0)
      if (quick === 'end') return expect(header.nullBlock).toBe(true)
      const { cksumValid, path, size, type, linkpath } = header
      expect({ cksumValid, path, size, type, linkpath }).toEqual({ cksumValid: true, ...quick })
    }),
    { numRuns: 2000 },
  )
  expect(read).toBeGreaterThan(300)
})

test('a block of zeros is the end, wherever it lies', () => {
  expect(readPlainHeader(Buffer.alloc(2 * tarBlock), tarBlock)).toBe('end')
})
