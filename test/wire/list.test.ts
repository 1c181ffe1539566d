/** The list of what is stored: filters, marks, whose it is, and going on behind a cursor. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TaintRow } from '@cis490/shared/taint.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { appendTaint } from '../../packages/receiver/src/store/taints.ts'
import { episode } from '../support/archives.ts'
import { hostFiles } from '../support/pki.ts'
import { type Row, Site, type TestReceiver } from '../support/receiver.ts'
import { ask, type Identity, problemOf, put, Wire } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
let reader: Identity
let other: Identity
let ids: string[]

beforeAll(async () => {
  site = await Site.make()
  reader = await hostFiles(site.root, 'reader', site.pki.authority, 'ops-01')
  other = await hostFiles(site.root, 'other', site.pki.authority, 'lab-08')
  receiver = await site.start({ auth: { readers: ['ops-01'] } })
  for (const [id, commit] of [
    ['a', 0],
    ['b', 1],
    ['c', 0],
  ] as const)
    await upload(id, site.commits[commit] as string)
  await upload('b', site.head, other)
  ids = ['lab-07/a', 'lab-07/b', 'lab-07/c', 'lab-08/b']
})
afterAll(() => site[Symbol.asyncDispose]())

async function upload(id: string, commit: string, identity?: Identity): Promise<void> {
  const answer = await put(receiver, id, episode(id, commit), { commit, ...(identity !== undefined && { identity }) })
  expect(answer.status).toBe(201)
}

async function list(query = '', identity: Identity = reader, to = receiver): Promise<Row[]> {
  const answer = await ask(to, `/v1/episodes${query}`, { ...(identity !== undefined && { identity }) })
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/jsonl'])
  return rowsOf(answer.body.toString())
}
const rowsOf = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row)
const keys = (rows: Row[]) => rows.map((row) => `${row['host']}/${row['id']}`)

const taint = (rest: object) =>
  appendTaint(
    new StoreLayout(receiver.stateDir),
    TaintRow.parse({ at: '2026-11-21T10:00:00.000Z', value: 'x', state: 'tainted', reason: 'drift', by: 'kim', ...rest }),
  )

describe('the list', () => {
  it('has the rows of the index in their order, each with a cursor', async () => {
    const rows = await list()
    expect(keys(rows)).toEqual(ids)
    expect(rows.map(({ cursor: _, ...row }) => row)).toEqual(await receiver.index())
    for (const row of rows) expect(row['cursor']).toMatch(/^\d+\.[0-9a-f]{16}$/)
  })

  it('is a host its own, whatever it names', async () => {
    expect(keys(await list('', site.pki.host))).toEqual(ids.slice(0, 3))
    expect(keys(await list('?host=lab-08', other))).toEqual(['lab-08/b'])
    const refused = await ask(receiver, '/v1/episodes?host=lab-08')
    expect([refused.status, problemOf(refused).code]).toEqual([403, 'wrong-host'])
  })

  it('is every host its own on the ops listener too, where a person asks', async () => {
    const answer = await fetch(`${receiver.opsUrl}/v1/episodes?host=lab-08`)
    expect(keys(rowsOf(await answer.text()))).toEqual(['lab-08/b'])
    expect(keys(rowsOf(await (await fetch(`${receiver.opsUrl}/v1/episodes`)).text()))).toEqual(ids)
  })

  it('takes a commit or its beginning, and a span of time', async () => {
    const [head, second] = site.commits as [string, string]
    expect(keys(await list(`?commit=${second}`))).toEqual(['lab-07/b'])
    expect(keys(await list(`?commit=${head.slice(0, 7).toUpperCase()}&host=lab-07`))).toEqual(['lab-07/a', 'lab-07/c'])
    const [, b] = await list()
    expect(keys(await list(`?since=${b?.['received_at']}`))).toEqual(ids.slice(1))
    expect(keys(await list(`?until=${b?.['received_at']}`))).toEqual(ids.slice(0, 1))
    expect(keys(await list('?since=1h'))).toEqual(ids)
    expect(await list('?since=2200-01-01')).toEqual([])
  })

  it('goes on behind a cursor, a row at a time, and later from where it ended', async () => {
    const seen: Row[] = []
    for (let cursor = ''; ; ) {
      const [row, ...more] = await list(`?limit=1${cursor && `&cursor=${cursor}`}`)
      expect(more).toEqual([])
      if (!row) break
      seen.push(row)
      cursor = String(row['cursor'])
    }
    expect(keys(seen)).toEqual(ids)
    const last = seen.at(-1)?.['cursor']
    await upload('d', site.head)
    ids.push('lab-07/d')
    expect(keys(await list(`?cursor=${last}`))).toEqual(['lab-07/d'])
  })

  it('of HEAD has no body', async () => {
    const answer = await ask(receiver, '/v1/episodes', { method: 'HEAD' })
    expect([answer.status, answer.headers['content-type'], answer.body.length]).toEqual([200, 'application/jsonl', 0])
  })
})

describe('a taint', () => {
  it('takes effect in a receiver that runs: the episodes are left out, or shown with the reason', async () => {
    await taint({ kind: 'id', id: 'c', host: 'lab-07' })
    expect(keys(await list())).not.toContain('lab-07/c')
    const marked = (await list('?tainted=include')).filter((row) => 'tainted' in row)
    expect(keys(marked)).toEqual(['lab-07/c'])
    expect(marked[0]?.['tainted']).toEqual({ reason: 'drift', at: '2026-11-21T10:00:00.000Z', by: 'kim' })
    expect(keys(await list('?tainted=only'))).toEqual(['lab-07/c'])
    await taint({ kind: 'id', id: 'c', host: 'lab-07', state: 'cleared' })
    expect(keys(await list())).toContain('lab-07/c')
  })

  it('of a commit covers what comes in later', async () => {
    const commit = site.commits[2] as string
    await taint({ kind: 'commit', value: commit, commits: [commit] })
    await upload('e', commit)
    expect(keys(await list())).not.toContain('lab-07/e')
    expect(keys(await list('?tainted=only'))).toEqual(['lab-07/e'])
  })
})

describe('a query is refused as bad-query', () => {
  it.each([
    ['comit=0123456', 'there is no such parameter; commit, host'],
    ['commit=xyz', 'commit: 7 to 64 hexadecimal digits'],
    ['commit=', 'commit: 7 to 64 hexadecimal digits'],
    ['commit=abcdef0&commit=abcdef1', 'commit: it is there twice'],
    ['host=a%20b', 'host: a host name is'],
    ['since=yesterday', 'since: a day like 2026-11-01'],
    ['until=2026-11-01T12:00:00', 'until: a day like'],
    ['tainted=perhaps', 'tainted: exclude, include or only'],
    ['tainted=constructor', 'tainted: exclude, include or only'],
    ['limit=0', 'limit: a number of rows'],
    ['limit=1e3', 'limit: a number of rows'],
    ['cursor=17', 'cursor: give the cursor of a row'],
    ['cursor=17.0123456789abcdef', 'the index was written anew since'],
  ])('%s', async (query, detail) => {
    const answer = await ask(receiver, `/v1/episodes?${query}`)
    const told = problemOf(answer)
    expect([answer.status, told.code]).toEqual([400, 'bad-query'])
    expect(told.detail).toContain(detail)
  })

  it('also a cursor of an index that was rebuilt, and one past its end', async () => {
    const fresh = await site.start()
    await put(fresh, 'a', episode('a', site.head), { commit: site.head })
    const [row] = await list('', site.pki.host, fresh)
    const path = join(fresh.stateDir, 'index.jsonl')
    const text = readFileSync(path, 'utf8')
    expect(await list(`?cursor=${row?.['cursor']}`, site.pki.host, fresh)).toEqual([])
    writeFileSync(path, text.replace(/"received_at":"20/, '"received_at":"19'))
    for (const cursor of [row?.['cursor'], `999999.${'0'.repeat(16)}`])
      expect(problemOf(await ask(fresh, `/v1/episodes?cursor=${cursor}`)).code).toBe('bad-query')
    writeFileSync(path, text)
  })
})

it('another method is 405 with Allow, and nobody without a certificate sees the list', async () => {
  const answer = await ask(receiver, '/v1/episodes', { method: 'DELETE' })
  expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD'])
  expect(problemOf(await ask(receiver, '/v1/episodes', { identity: null })).code).toBe('certificate-missing')
})

it('a taint that cannot be read makes no list: it would call bad episodes good', async () => {
  const fresh = await site.start()
  mkdirSync(new StoreLayout(fresh.stateDir).taints)
  expect(problemOf(await ask(fresh, '/v1/episodes')).code).toBe('internal')
})

it('a list of 100 MB waits for its reader and ends with him; others are served', async () => {
  const fresh = await site.start()
  const row = { id: 'x', host: 'lab-07', sha256: 'a'.repeat(64), bytes: 1, received_at: '2026-11-21T10:00:00.000Z' }
  appendFileSync(join(fresh.stateDir, 'index.jsonl'), `${JSON.stringify({ ...row, note: 'y'.repeat(800) })}\n`.repeat(100_000))
  const before = process.memoryUsage().arrayBuffers
  using wire = await Wire.connect(fresh)
  wire.socket.pause()
  await wire.write('GET /v1/episodes HTTP/1.1\r\nHost: localhost\r\n\r\n')
  for (let k = 0; k < 60; k++) await (await fetch(`${fresh.opsUrl}/v1/gate`)).text()
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 << 20)
  wire.socket.destroy()
  expect(await list('?limit=3', site.pki.host, fresh)).toHaveLength(3)
})
