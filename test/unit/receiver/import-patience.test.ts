/** An import against a receiver that cannot take anything now. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AdminClient } from '../../../packages/receiver/src/admin/client.ts'
import { importExport, verifyExport } from '../../../packages/receiver/src/commands/import-export.ts'
import { Site } from '../../support/receiver.ts'
import { TestStick } from '../../support/stick.ts'

let site: Site
beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

test('what lasts is not waited for: each archive is told at once, and nothing of it is read', async () => {
  const full = await site.start({ limits: { headroom: '1000000GiB' } })
  const stick = new TestStick(full)
  const ids = await stick.export({ count: 3 })
  const started = performance.now()
  const outcomes = await stick.import()
  expect(Object.values(outcomes)).toEqual(
    ids.map(() => expect.objectContaining({ outcome: 'later', code: 'store-full' }) as unknown),
  )
  expect(performance.now() - started).toBeLessThan(20_000)
  expect((await full.rejects()).map((row) => [row['code'], row['bytes_read']])).toEqual(ids.map(() => ['store-full', 0]))
})

test('an import that is interrupted ends within an archive, leaves nothing half, and is finished by the next', async () => {
  const receiver = await site.start()
  const stick = new TestStick(receiver)
  const ids = await stick.export({ count: 2 })
  const verified = await verifyExport(stick.folder, stick.peers(), Date.now())
  if ('fault' in verified) throw new Error(verified.fault)
  const ending = new AbortController()
  const told: string[] = []
  const cut = importExport(verified, {
    dir: stick.dir,
    client: new AdminClient(join(receiver.stateDir, 'admin.sock')),
    told: ({ id }) => void told.push(id),
    // The bytes of the first archive are read but not yet sent.
    onBytes: () => {
      ending.abort(new Error('interrupted'))
      ending.signal.throwIfAborted()
    },
    signal: ending.signal,
  })
  await expect(cut).rejects.toThrow('interrupted')
  expect([told, await receiver.index()]).toEqual([[], []])
  expect(await stick.import()).toEqual(Object.fromEntries(ids.map((id) => [id, { outcome: 'stored' }])))
  expect(await receiver.incoming()).toEqual([])
})
