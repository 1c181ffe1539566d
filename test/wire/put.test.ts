/** What happens to an upload that is right: the receipt, its row, its replay. */
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../packages/agent/src/ship/client.ts'
import { loadIdentity } from '../../packages/agent/src/ship/identity.ts'
import { CanonicalRow } from '../../packages/fleet/src/core/canonical-row.ts'
import { slack } from '../../packages/fleet/src/core/row-bytes.ts'
import { StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { episode } from '../support/archives.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { jsonOf, problemOf, put, requestHead, sha256, uploadHeaders, Wire } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
})
afterAll(() => site[Symbol.asyncDispose]())

describe('an upload', () => {
  it('by the agent itself gets 201, 200 for the same bytes again, 409 for others', async () => {
    const { host, caFile } = site.pki
    const identity = loadIdentity(
      { ca_file: caFile, cert_file: host.certFile, key_file: host.keyFile, token_file: '' },
      undefined,
    )
    await using client = new Client({ url: receiver.url, identity, connections: 1 })
    const send = async (bytes: Buffer) => {
      const path = join(site.root, 'agent.tar.zst')
      await writeFile(path, bytes)
      const entry = { id: 'by-agent', sha256: sha256(bytes), bytes: bytes.length, commit: site.head, schema_version: '7' }
      const answer = await client.put(entry, path, () => undefined)
      if (answer.kind === 'fault') throw new Error(answer.message)
      return answer
    }
    const bytes = episode('by-agent', site.head)
    const first = await send(bytes)
    expect(first.status).toBe(201)
    expect(JSON.parse(first.body)).toMatchObject({
      id: 'by-agent',
      host: 'lab-07',
      sha256: sha256(bytes),
      bytes: bytes.length,
      commit: site.head,
      gate_position: 1,
      schema_version: '7',
    })
    expect(JSON.parse(first.body).agent_version).toMatch(/^\d+\.\d+\.\d+/)
    const again = await send(bytes)
    expect([again.status, again.body]).toEqual([200, first.body])
    const other = await send(episode('by-agent', site.head, 'other telemetry'))
    expect([other.status, other.problem?.code, other.problem?.stored_sha256]).toEqual([409, 'content-conflict', sha256(bytes)])
    const head = await client.head('by-agent')
    expect(head).toMatchObject({ status: 200, headers: { etag: `"sha256-${sha256(bytes)}"` } })
    expect((await receiver.index()).filter((row) => row['id'] === 'by-agent')).toHaveLength(1)
  })

  it('gives the sidecar byte for byte as the receipt, at first and on replay', async () => {
    const bytes = episode('sidecar', site.commits[1])
    const first = await put(receiver, 'sidecar', bytes, { commit: site.commits[1] })
    const replay = await put(receiver, 'sidecar', bytes, { commit: site.commits[1] })
    expect([first.status, replay.status]).toEqual([201, 200])
    const layout = new StoreLayout(receiver.stateDir)
    const key = { host: 'lab-07', id: 'sidecar' } as never
    const stored = await readFile(layout.sidecar(key))
    expect(first.body).toEqual(stored)
    expect(replay.body).toEqual(stored)
    expect(await readFile(layout.archive(key))).toEqual(bytes)
    expect(first.headers['location']).toBe('/v1/episodes/sidecar.tar.zst')
    expect(first.headers['etag']).toBe(`"sha256-${sha256(bytes)}"`)
    const gate = `position=2, window=3, head=${site.head}`
    expect([first.headers['x-cis490-gate'], replay.headers['x-cis490-gate']]).toEqual([gate, gate])
  })

  it('answers a conflict with both hashes and leaves the first bytes alone', async () => {
    const [one, two] = [episode('conflict', site.head, 'one'), episode('conflict', site.head, 'two')]
    await put(receiver, 'conflict', one, { commit: site.head })
    const answer = await put(receiver, 'conflict', two, { commit: site.head })
    expect(answer.status).toBe(409)
    expect(problemOf(answer)).toMatchObject({ code: 'content-conflict', stored_sha256: sha256(one), your_sha256: sha256(two) })
    expect(await receiver.incoming()).toEqual([])
  })

  it('keeps the episodes of two hosts with one id apart', async () => {
    const { hostFiles } = await import('../support/pki.ts')
    const other = await hostFiles(site.pki.dir, 'lab-08', site.pki.authority, 'lab-08')
    const [mine, theirs] = [episode('shared-id', site.head, 'mine'), episode('shared-id', site.head, 'theirs')]
    expect((await put(receiver, 'shared-id', mine, { commit: site.head })).status).toBe(201)
    expect((await put(receiver, 'shared-id', theirs, { commit: site.head, identity: other })).status).toBe(201)
  })

  it('takes hash and commit in any case of letters', async () => {
    const bytes = episode('upper', site.head)
    const headers = { 'X-Content-SHA256': sha256(bytes).toUpperCase() }
    const answer = await put(receiver, 'upper', bytes, { commit: site.head.toUpperCase(), headers })
    expect([answer.status, jsonOf(answer)['commit'], jsonOf(answer)['sha256']]).toEqual([201, site.head, sha256(bytes)])
  })

  it('may come in chunks without a length, and with a Repr-Digest that agrees', async () => {
    const bytes = episode('chunked', site.head)
    const digest = `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
    using wire = await Wire.connect(receiver)
    const headers = { ...uploadHeaders(bytes, site.head), 'Transfer-Encoding': 'chunked', 'Repr-Digest': digest }
    await wire.write(requestHead('PUT', '/v1/episodes/chunked.tar.zst', headers))
    for (const part of [bytes.subarray(0, 10), bytes.subarray(10)]) {
      await wire.write(`${part.length.toString(16)}\r\n`)
      await wire.write(part)
      await wire.write('\r\n')
    }
    await wire.write('0\r\n\r\n')
    expect((await wire.answer()).status).toBe(201)
  })

  it('uses one connection for several episodes', async () => {
    using wire = await Wire.connect(receiver)
    for (const id of ['kept-1', 'kept-2']) {
      const bytes = episode(id, site.head)
      const headers = { ...uploadHeaders(bytes, site.head), 'Content-Length': bytes.length }
      await wire.write(requestHead('PUT', `/v1/episodes/${id}.tar.zst`, headers))
      await wire.write(bytes)
      expect((await wire.answer()).status).toBe(201)
    }
  })
})

describe('two clients that send one id at once', () => {
  it('get one 201 and one 409 upload-in-progress, and there is one row', async () => {
    const bytes = episode('race', site.head, 'x'.repeat(5000))
    using first = await Wire.connect(receiver)
    const headers = { ...uploadHeaders(bytes, site.head), 'Content-Length': bytes.length }
    await first.write(requestHead('PUT', '/v1/episodes/race.tar.zst', headers))
    await first.write(bytes.subarray(0, 10))
    await eventually(
      () => receiver.incoming(),
      (names) => names.length === 1,
    )
    const second = await put(receiver, 'race', bytes, { commit: site.head })
    expect([second.status, problemOf(second).code]).toEqual([409, 'upload-in-progress'])
    expect(second.headers['retry-after']).toMatch(/^\d+$/)
    await first.write(bytes.subarray(10))
    expect((await first.answer()).status).toBe(201)
    expect((await receiver.index()).filter((row) => row['id'] === 'race')).toHaveLength(1)
  })

  it('leave one row and one archive whoever wins', async () => {
    const bytes = episode('stampede', site.head)
    const answers = await Promise.all(Array.from({ length: 8 }, () => put(receiver, 'stampede', bytes, { commit: site.head })))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(1)
    expect(statuses.every((status) => [200, 201, 409].includes(status))).toBe(true)
    expect((await receiver.index()).filter((row) => row['id'] === 'stampede')).toHaveLength(1)
    expect(await receiver.incoming()).toEqual([])
  })
})

describe('the index', () => {
  it('has the receipt plus seq and prev in each row, in an unbroken chain', async () => {
    const fresh = await site.start()
    const receipts: Record<string, unknown>[] = []
    for (const id of ['a', 'b', 'c']) {
      receipts.push(jsonOf(await put(fresh, id, episode(id, site.head), { commit: site.head })))
    }
    // Several at once share one write; the chain has to hold there too.
    await Promise.all(['d', 'e', 'f', 'g'].map((id) => put(fresh, id, episode(id, site.head), { commit: site.head })))
    const lines = (await readFile(join(fresh.stateDir, 'index.jsonl'), 'utf8')).trimEnd().split('\n')
    expect(lines).toHaveLength(7)
    let prev = '0'.repeat(64)
    for (const [k, line] of lines.entries()) {
      const { seq, prev: told, ...receipt } = JSON.parse(line)
      expect([seq, told]).toEqual([k + 1, prev])
      if (k < receipts.length) expect(receipt).toEqual(receipts[k])
      prev = sha256(line)
    }
    await fresh.stop()
    const restarted = await site.start({ stateDir: fresh.stateDir })
    await put(restarted, 'h', episode('h', site.head), { commit: site.head })
    expect((await restarted.index()).at(-1)).toMatchObject({ id: 'h', seq: 8, prev })
  })

  it('has rows of the shape that the fleet reads from their bytes, whoever sent them', async () => {
    const rows = await readFile(join(receiver.stateDir, 'index.jsonl'))
    const row = new CanonicalRow(Buffer.concat([rows, Buffer.alloc(slack)]))
    let read = 0
    while (row.read(read) > read) read = row.read(read)
    expect(rows.subarray(read).toString('utf8')).toBe('')
    expect(rows.toString('utf8')).toContain('"agent_version"')
  })

  it('leaves nothing but archives and sidecars in the folder of a host', async () => {
    const host = join(receiver.stateDir, 'episodes', 'lab-07')
    const names = (await readdir(host, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    expect(names.length).toBeGreaterThan(0)
    for (const { name } of names) expect(name).toMatch(/\.(tar\.zst|json)$/)
  })
})
