/** The file of a body on its way in. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BodyFile } from '../../../packages/receiver/src/store/body-file.ts'
import { scratchDir } from '../../support/scratch.ts'

test('never takes a name that is there', () => {
  const path = join(scratchDir(), 'body.part')
  const first = BodyFile.create(path)
  expect(() => BodyFile.create(path)).toThrow(/EEXIST/)
  return first.close()
})

test('a close waits for the thread that has the file: its number could be another file by then', async () => {
  const path = join(scratchDir(), 'body.part')
  const file = BodyFile.create(path)
  const link = `/proc/self/fd/${file.fd}`
  const bytes = randomBytes(1 << 20)
  const written = file.writev([bytes], 0)
  const closed = file.close()
  expect(existsSync(link)).toBe(true)
  expect((await written).bytesWritten).toBe(bytes.length)
  await closed
  expect(existsSync(link)).toBe(false)
  expect((await readFile(path)).equals(bytes)).toBe(true)
})

test('nothing is begun on a closed one', async () => {
  const file = BodyFile.create(join(scratchDir(), 'body.part'))
  await file.close()
  expect(() => file.fd).toThrow(/closed/)
  expect(() => file.sync()).toThrow(/closed/)
  expect(() => file.read(new Uint8Array(1), 0, 1, 0)).toThrow(/closed/)
})
