/** `restore` from a disk that nobody can write to, as a backup that was put away is. */
import { spawnSync } from 'node:child_process'
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { expect } from 'vitest'
import { TestStore } from '../../support/store.ts'
import { testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'

testOnTinyDisk.each([['with the lock that a backup leaves'], ['without it']])(
  'a backup on a read-only disk is restored, %s',
  async (which) => {
    const store = new TestStore()
    for (const id of ['ep-1', 'ep-2']) await store.put(id)
    const disk = tinyDisk(8)
    expect((await store.run('backup', disk)).code).toBe(0)
    if (which === 'without it') unlinkSync(join(disk, 'backup.lock'))
    expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0)
    const other = new TestStore()
    const run = await other.run('restore', disk)
    expect([run.code, run.stderr.split('\n').at(-1), other.rows().length]).toEqual([0, '', 2])
  },
)

testOnTinyDisk('a restore still waits for a backup that writes there', async () => {
  const store = new TestStore()
  await store.put('ep-1')
  const disk = tinyDisk(8)
  expect((await store.run('backup', disk)).code).toBe(0)
  using _backup = takeLock(join(disk, 'backup.lock'))
  const run = await new TestStore().run('restore', disk)
  expect([run.code, run.stderr]).toEqual([3, expect.stringContaining('another backup or restore works in')])
})
