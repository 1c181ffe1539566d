import { join } from 'node:path'
import { lookAtSelf } from '@cis490/receiver/look-at-self.ts'
import { expect, test } from 'vitest'
import { scratchDir } from '../../support/scratch.ts'

const sound = {
  storeFile: import.meta.filename,
  inDoubt: false,
  url: 'https://127.0.0.1:8443',
  connections: 3,
  bodies: 2,
  gateAge: 4,
  freeBytes: () => 3 * 2 ** 30,
}

test('says what it does, how old its commit set is, and what room is left', async () => {
  const status = 'https://127.0.0.1:8443: 2 bodies on 3 connections; version gate 4 s old; 3.0 GiB free'
  expect(await lookAtSelf(sound)).toEqual({ well: true, status })
})

test('a gate without commits, or a full disk, is no reason for a restart', async () => {
  const { well, status } = await lookAtSelf({ ...sound, gateAge: null, freeBytes: () => 0 })
  expect({ well, status }).toEqual({ well: true, status: expect.stringMatching(/the version gate has no commits; 0 B free$/) })
})

test('a store in doubt is not well', async () => {
  expect(await lookAtSelf({ ...sound, inDoubt: true })).toEqual({ well: false, status: 'the store is in doubt' })
})

test('a store that is gone is not well', async () => {
  await expect(lookAtSelf({ ...sound, storeFile: join(scratchDir(), 'index.jsonl') })).rejects.toThrow('ENOENT')
})
