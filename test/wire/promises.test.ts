/** What may be promised while something else runs, or after something was lost: only what is durable and has its one row. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { episode } from '../support/archives.ts'
import { holdSync } from '../support/held-sync.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { create } from '../support/uploads.ts'
import { problemOf, put, type WireAnswer } from '../support/wire.ts'

let site: Site
beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

const seen = (answer: WireAnswer) => [answer.status, answer.status < 300 ? 'receipt' : problemOf(answer).code]

async function fresh(): Promise<TestReceiver> {
  const receiver = await site.start()
  onTestFinished(() => receiver.stop())
  return receiver
}

describe('an episode whose name is there but not durable yet', () => {
  it('is no stored episode for a creation: it waits for the row', async () => {
    const receiver = await fresh()
    const bytes = episode('row', site.head)
    using row = await holdSync(/index\.jsonl$/)
    const plain = put(receiver, 'row', bytes, { commit: site.head })
    await row.hangs
    const meanwhile = await create(receiver, 'row', bytes, { commit: site.head })
    expect(seen(meanwhile)).toEqual([409, 'upload-in-progress'])
    expect(meanwhile.headers).toMatchObject({ 'upload-complete': '?0' })
    expect(meanwhile.headers['upload-limit']).toMatch(/^max-size=\d+, max-age=\d+$/)
    const unmatched = await put(receiver, 'row', bytes, { commit: site.head, headers: { 'If-None-Match': '*' } })
    expect(seen(unmatched)).toEqual([409, 'upload-in-progress'])
    row.release()
    const done = await plain
    expect(done.status).toBe(201)
    const after = await create(receiver, 'row', bytes, { commit: site.head })
    expect([after.status, after.body]).toEqual([200, done.body])
  })

  it('is never promised to a creation once the sync of its name has failed', async () => {
    const receiver = await fresh()
    const bytes = episode('name', site.head)
    using name = await holdSync(/\/episodes\/lab-07\/[0-9a-f]{2}$/)
    const plain = put(receiver, 'name', bytes, { commit: site.head })
    await name.hangs
    expect(seen(await create(receiver, 'name', bytes, { commit: site.head }))).toEqual([409, 'upload-in-progress'])
    name.release(Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' }))
    expect((await plain).status).toBe(500)
    expect(seen(await create(receiver, 'name', bytes, { commit: site.head }))).toEqual([503, 'shutting-down'])
    expect(await receiver.index()).toEqual([])
  })
})
