/** What may be promised while something else runs, or after something was lost: only what is durable and has its one row. */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { episode } from '../support/archives.ts'
import { holdSync } from '../support/held-sync.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { TestStore } from '../support/store.ts'
import { append, create, created } from '../support/uploads.ts'
import { ask, problemOf, put, type WireAnswer } from '../support/wire.ts'

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

describe('an episode of which the disk lost bytes', () => {
  it('was refused as invalid, when the thread had its hash from memory', async () => {
    const receiver = await fresh()
    const bytes = episode('lost-bytes', site.head, randomBytes(3 << 20))
    using sync = await holdSync(/\.part$/)
    const sent = put(receiver, 'lost-bytes', bytes, { commit: site.head })
    await sync.hangs
    const incoming = join(receiver.stateDir, 'incoming')
    const [part] = (await readdir(incoming)).filter((name) => name.endsWith('.part'))
    await using file = await open(join(incoming, part as string), 'r+')
    await file.write(Buffer.alloc(4096), 0, 4096, 0)
    sync.release(Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' }))
    expect((await sent).status).toBe(500)
    expect(await receiver.index()).toEqual([])
  })
})

describe('an episode whose archive was lost after its receipt was given', () => {
  /** Stored, with its archive taken away by hand. */
  async function bereft(id: string) {
    const receiver = await fresh()
    const bytes = episode(id, site.head)
    const first = await put(receiver, id, bytes, { commit: site.head })
    expect(first.status).toBe(201)
    const shelves = join(receiver.stateDir, 'episodes', 'lab-07')
    const shelf = join(shelves, (await readdir(shelves))[0] as string)
    await rm(join(shelf, `${id}.tar.zst`))
    return { receiver, bytes, first, shelf }
  }

  it('is brought back by the same bytes, with its first receipt and its one row', async () => {
    const { receiver, bytes, first } = await bereft('back')
    const again = await put(receiver, 'back', bytes, { commit: site.head })
    expect([again.status, again.body]).toEqual([200, first.body])
    expect((await ask(receiver, '/v1/episodes/back.tar.zst')).body).toEqual(bytes)
    expect(await receiver.index()).toHaveLength(1)
    expect(await receiver.incoming()).toEqual([])
    expect(receiver.log.at('warn')).toContainEqual(expect.objectContaining({ event: 'archive-brought-back', id: 'back' }))
  })

  it('is brought back by a resumable upload too, over a restart', async () => {
    const { receiver: before, bytes, first } = await bereft('resumed')
    await before.stop()
    const receiver = await site.start({ stateDir: before.stateDir })
    onTestFinished(() => receiver.stop())
    const path = await created(receiver, 'resumed', bytes, { commit: site.head })
    const done = await append(receiver, path, 0, bytes, { complete: true })
    expect([done.status, done.body]).toEqual([200, first.body])
    expect(await receiver.index()).toHaveLength(1)
  })

  it('never gets a second row for other bytes', async () => {
    const { receiver, bytes, first, shelf } = await bereft('other')
    const other = episode('other', site.head, 'other bytes')
    expect(seen(await put(receiver, 'other', other, { commit: site.head }))).toEqual([409, 'content-conflict'])
    expect(await receiver.index()).toHaveLength(1)
    expect((await put(receiver, 'other', bytes, { commit: site.head })).body).toEqual(first.body)
    await rm(join(shelf, 'other.tar.zst'))
    await writeFile(join(shelf, 'other.json'), 'no receipt')
    expect(seen(await put(receiver, 'other', other, { commit: site.head }))).toEqual([500, 'internal'])
    expect(await receiver.index()).toHaveLength(1)
  })

  it('that has no row was promised to nobody: what a failure left makes way', async () => {
    const { receiver, first } = await bereft('unpromised')
    const sidecar = new StoreLayout(receiver.stateDir).sidecar(new TestStore().key('unknown'))
    await mkdir(dirname(sidecar), { recursive: true })
    await writeFile(sidecar, first.body.toString().replace('"unpromised"', '"unknown"'))
    expect((await put(receiver, 'unknown', episode('unknown', site.head), { commit: site.head })).status).toBe(201)
    expect((await receiver.index()).map((row) => row['id'])).toEqual(['unpromised', 'unknown'])
  })
})
