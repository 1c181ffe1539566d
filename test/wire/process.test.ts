/** The receiver as a process: how it starts, ends, is killed, and what the next start makes of what is left. */

import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { episode } from '../support/archives.ts'
import { eventually, type Row, readRows, type Settings, Site } from '../support/receiver.ts'
import { ReceiverProcess } from '../support/receiver-process.ts'
import { ask, problemOf, put, type Reachable, requestHead, sha256, uploadHeaders, Wire } from '../support/wire.ts'

let site: Site
const running: ReceiverProcess[] = []

beforeAll(async () => {
  site = await Site.make()
})
afterAll(async () => {
  for (const receiver of running) await receiver.kill('SIGKILL')
  await site[Symbol.asyncDispose]()
})

async function start(settings: Settings): Promise<ReceiverProcess> {
  const receiver = await ReceiverProcess.start(site, settings)
  running.push(receiver)
  return receiver
}

async function half(to: Reachable, id: string): Promise<{ wire: Wire; rest: Buffer }> {
  const body = episode(id, site.head, crypto.getRandomValues(new Uint8Array(60_000)))
  const wire = await Wire.connect(to)
  const headers = { ...uploadHeaders(body, site.head), 'Content-Length': body.length, Expect: '100-continue' }
  await wire.write(requestHead('PUT', `/v1/episodes/${id}.tar.zst`, headers))
  expect((await wire.answer()).status).toBe(100)
  await wire.write(body.subarray(0, 30_000))
  return { wire, rest: body.subarray(30_000) }
}

const incoming = (stateDir: string) => readdir(join(stateDir, 'incoming'))
const index = (stateDir: string) => readRows(join(stateDir, 'index.jsonl'))

async function expectUnbrokenChain(stateDir: string): Promise<Row[]> {
  const lines = (await readFile(join(stateDir, 'index.jsonl'), 'utf8')).trimEnd().split('\n')
  let prev = '0'.repeat(64)
  for (const [k, line] of lines.entries()) {
    expect(JSON.parse(line)).toMatchObject({ seq: k + 1, prev })
    prev = sha256(line)
  }
  return lines.map((line) => JSON.parse(line) as Row)
}

describe('SIGTERM', () => {
  it('lets a running body end, tells new requests, and exits 0', async () => {
    const stateDir = site.newStateDir()
    const receiver = await start({ stateDir, drain: '20s' })
    const body = await half(receiver, 'running')
    receiver.child.kill('SIGTERM')
    const late = episode('late', site.head)
    await eventually(
      async () => (await fetch(`${receiver.opsUrl}/readyz`)).status,
      (status) => status === 503,
    )
    const refused = await put(receiver, 'late', late, { commit: site.head })
    expect([refused.status, problemOf(refused).code]).toEqual([503, 'shutting-down'])
    expect(refused.headers['retry-after']).toMatch(/^[345]$/)
    // The listener has closed; what runs goes on.
    await eventually(
      () =>
        Wire.connect(receiver).then(
          (wire) => wire[Symbol.dispose](),
          () => 'closed',
        ),
      (seen) => seen === 'closed',
    )
    await body.wire.write(body.rest)
    expect((await body.wire.answer()).status).toBe(201)
    expect(await receiver.ended).toMatchObject({ code: 0, stderr: '' })
    expect((await index(stateDir)).map((row) => row['id'])).toEqual(['running'])
    expect(await incoming(stateDir)).toEqual([])
    const events = await readRows(join(stateDir, 'events', 'receiver.jsonl'))
    expect(events.map((row) => row['event'])).toEqual(['up', 'down'])
  })

  it('cuts what does not end within drain, with an answer', async () => {
    const stateDir = site.newStateDir()
    const receiver = await start({ stateDir, drain: '200ms' })
    const body = await half(receiver, 'endless')
    receiver.child.kill('SIGTERM')
    const answer = await body.wire.answer()
    expect([answer.status, problemOf(answer).code]).toEqual([503, 'shutting-down'])
    expect(await receiver.ended).toMatchObject({ code: 0 })
    expect(await incoming(stateDir)).toEqual([])
    body.wire[Symbol.dispose]()
  })
})

describe('kill -9', () => {
  it('inside a body: the next start clears it away, and the episode comes in once', async () => {
    const stateDir = site.newStateDir()
    const first = await start({ stateDir })
    const before = episode('before', site.head)
    expect((await put(first, 'before', before, { commit: site.head })).status).toBe(201)
    const body = await half(first, 'cut')
    await eventually(
      async () => (await Promise.all((await incoming(stateDir)).map((name) => stat(join(stateDir, 'incoming', name))))).length,
      (files) => files === 1,
    )
    expect((await first.kill('SIGKILL')).signal).toBe('SIGKILL')
    body.wire[Symbol.dispose]()
    const second = await start({ stateDir })
    expect(await incoming(stateDir)).toEqual([])
    expect(second.lines).toContainEqual(expect.objectContaining({ event: 'recovered', incoming_removed: 1 }))
    const again = episode('cut', site.head)
    expect((await put(second, 'cut', again, { commit: site.head })).status).toBe(201)
    expect((await put(second, 'before', before, { commit: site.head })).status).toBe(200)
    expect((await expectUnbrokenChain(stateDir)).map((row) => row['id'])).toEqual(['before', 'cut'])
  })

  it('among many uploads: what was acknowledged is there once, and nothing else is half there', async () => {
    const stateDir = site.newStateDir()
    const acknowledged = new Set<string>()
    for (const round of [0, 1]) {
      const receiver = await start({ stateDir })
      const killAt = acknowledged.size + 5 + round * 4
      const worker = async (name: number) => {
        for (let k = 0; ; k++) {
          const id = `r${round}-w${name}-${k}`
          const answer = await put(receiver, id, episode(id, site.head), { commit: site.head }).catch(() => undefined)
          if (answer?.status !== 201) return
          acknowledged.add(id)
          if (acknowledged.size === killAt) receiver.child.kill('SIGKILL')
        }
      }
      await Promise.all([0, 1, 2, 3].map(worker))
      expect((await receiver.ended).signal).toBe('SIGKILL')
    }
    const last = await start({ stateDir })
    const rows = await expectUnbrokenChain(stateDir)
    const ids = rows.map((row) => String(row['id']))
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of acknowledged) expect(ids).toContain(id)
    for (const row of rows) {
      const stored = await ask(last, `/v1/episodes/${row['id']}.tar.zst`)
      expect([stored.status, sha256(stored.body)]).toEqual([200, row['sha256']])
    }
    const files = await readdir(join(stateDir, 'episodes'), { recursive: true, withFileTypes: true })
    expect(files.filter((entry) => entry.isFile())).toHaveLength(2 * rows.length)
    expect(await incoming(stateDir)).toEqual([])
  })
})

describe('a start after a crash', () => {
  async function storeOf(...ids: string[]): Promise<StoreLayout> {
    const receiver = await site.start()
    for (const id of ids) expect((await put(receiver, id, episode(id, site.head), { commit: site.head })).status).toBe(201)
    await receiver.stop()
    return new StoreLayout(receiver.stateDir)
  }
  const key = (id: string) => ({ host: 'lab-07', id }) as never

  it('cuts off the torn end of the index and goes on with the chain', async () => {
    const layout = await storeOf('a', 'b')
    const whole = await readFile(layout.index, 'utf8')
    for (const torn of ['{"id":"torn","ho', '\0\0\0\0', '{"id":"c"}']) {
      await writeFile(layout.index, whole + torn)
      const receiver = await site.start({ stateDir: layout.root })
      expect(await readFile(layout.index, 'utf8')).toBe(whole)
      await receiver.stop()
    }
    const receiver = await site.start({ stateDir: layout.root })
    expect((await put(receiver, 'c', episode('c', site.head), { commit: site.head })).status).toBe(201)
    expect((await expectUnbrokenChain(layout.root)).map((row) => row['id'])).toEqual(['a', 'b', 'c'])
  })

  it('removes a sidecar without its archive, and the id is free', async () => {
    const layout = await storeOf('a')
    const sidecar = await readFile(layout.sidecar(key('a')), 'utf8')
    await mkdir(layout.shelf(key('ghost')), { recursive: true })
    await writeFile(layout.sidecar(key('ghost')), sidecar.replace('"a"', '"ghost"'))
    const receiver = await site.start({ stateDir: layout.root })
    await expect(readFile(layout.sidecar(key('ghost')))).rejects.toThrow('ENOENT')
    expect((await ask(receiver, '/v1/episodes/ghost.tar.zst')).status).toBe(404)
    expect((await put(receiver, 'ghost', episode('ghost', site.head), { commit: site.head })).status).toBe(201)
    expect((await expectUnbrokenChain(layout.root)).map((row) => row['id'])).toEqual(['a', 'ghost'])
  })

  it('gives an episode without a row its row, as its receipt says', async () => {
    const layout = await storeOf('a', 'b', 'c')
    const lines = (await readFile(layout.index, 'utf8')).trimEnd().split('\n')
    await writeFile(layout.index, `${lines[0]}\n`)
    const receiver = await site.start({ stateDir: layout.root })
    expect(await readFile(layout.index, 'utf8')).toBe(`${lines.join('\n')}\n`)
    expect((await put(receiver, 'c', episode('c', site.head), { commit: site.head })).status).toBe(200)
  })

  it('answers internal, without a word about its disk, where a sidecar cannot be read', async () => {
    const layout = await storeOf('a')
    await rm(layout.sidecar(key('a')))
    await mkdir(layout.sidecar(key('a')))
    const receiver = await site.start({ stateDir: layout.root })
    const answer = await ask(receiver, '/v1/episodes/a.tar.zst')
    expect([answer.status, problemOf(answer).code]).toEqual([500, 'internal'])
    expect(answer.body.toString()).not.toContain(layout.root)
    expect(receiver.log.at('error')).toHaveLength(1)
  })
})
