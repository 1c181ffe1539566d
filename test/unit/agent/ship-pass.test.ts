/** Passes over a real outbox against a receiver that answers what the test says. */
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { gateRemediation } from '@cis490/shared/remediation.ts'
import { expect, test, vi } from 'vitest'
import { gateAsker } from '../../../packages/agent/src/commands/ask-gate.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { accept, answering, type Handler, refuse, shipBench } from '../../support/ship-bench.ts'

async function bench(handle: Handler, concurrency = 1) {
  const { url, requests } = await answering(handle)
  return Object.assign(await shipBench({ url, concurrency }), { requests })
}

const gate = (head: string, verdict?: string) =>
  JSON.stringify({
    mode: 'enforce',
    branch: 'main',
    head,
    window: 1,
    size: 1,
    fetched_at: null,
    age_s: 0,
    source: 'api',
    failures: 0,
    verdict,
  })

test('a commit is asked about once, its entries wait while the head stands and go when it moved', async () => {
  let head = 'h1'
  const bed = await bench((request, response, body) => {
    if (request.url === '/v1/gate') return response.end(gate(head))
    if (request.url?.startsWith('/v1/gate')) return response.end(gate(head, head === 'h1' ? 'refuse' : 'accept'))
    if (head !== 'h1') return accept(request, response, body)
    return refuse(response, 'commit-not-in-window', 'too old', { remediation: gateRemediation(), head_commit: head })
  })
  for (const id of ['a', 'b']) recordEpisode(bed.home, id)
  await scan(bed.context)
  for (const _ of [1, 2, 3]) await shipPass(bed.shipping, 'due', bed.signal)
  expect(bed.requests.filter((one) => one.startsWith('PUT'))).toHaveLength(2)
  expect(bed.requests.filter((one) => one.includes('?commit='))).toHaveLength(1)
  expect(bed.raw.join('').trimEnd()).toBe(gateRemediation())
  head = 'h2'
  expect(await shipPass(bed.shipping, 'due', bed.signal)).toMatchObject({ delivered: 2 })
  expect(await bed.context.outbox.entries()).toEqual([])
  expect(existsSync(join(bed.home.episodes, 'a'))).toBe(false)
})

test('when the receiver lets nobody in, the first refusal ends the pass and the probe comes after 15 min', async () => {
  let open = false
  const bed = await bench((request, response, body) =>
    open ? accept(request, response, body) : refuse(response, 'unauthorized', 'no token'),
  )
  for (const id of ['a', 'b', 'c']) recordEpisode(bed.home, id)
  await scan(bed.context)
  await shipPass(bed.shipping, 'due', bed.signal)
  open = true
  bed.clock += 14 * 60_000
  await shipPass(bed.shipping, 'due', bed.signal)
  expect(bed.requests).toHaveLength(1)
  bed.clock += 60_000
  expect(await shipPass(bed.shipping, 'due', bed.signal)).toMatchObject({ delivered: 3 })
})

test('after an answer that got lost it asks what is stored; other bytes there are a conflict, and nothing is sent', async () => {
  const bed = await bench((request, response) => {
    if (request.method === 'HEAD') return response.writeHead(200, { etag: `"sha256-${'b'.repeat(64)}"` }).end()
    return request.socket.destroy()
  })
  recordEpisode(bed.home, 'a')
  await scan(bed.context)
  await shipPass(bed.shipping, 'all', bed.signal)
  expect(await bed.context.outbox.entries()).toMatchObject([{ lane: 'ready', last: { status: 0, code: 'connection-cut' } }])
  await shipPass(bed.shipping, 'all', bed.signal)
  expect(bed.requests.map((one) => one.split(' ')[0])).toEqual(['PUT', 'HEAD'])
  expect(await bed.context.outbox.entries()).toMatchObject([{ lane: 'quarantine', last: { code: 'content-conflict' } }])
})

test('an archive that is whole is sent four times before a person decides', async () => {
  const bed = await bench((_, response) => refuse(response, 'sha256-mismatch', 'other bytes'))
  recordEpisode(bed.home, 'a')
  await scan(bed.context)
  for (const _ of [1, 2, 3]) await shipPass(bed.shipping, 'all', bed.signal)
  expect(await bed.context.outbox.entries()).toMatchObject([{ lane: 'ready', mismatches: 3, attempts: 3 }])
  await shipPass(bed.shipping, 'all', bed.signal)
  expect(await bed.context.outbox.entries()).toMatchObject([{ lane: 'quarantine', attempts: 4 }])
})

test('an archive that is damaged on the disk is made anew from its episode', async () => {
  const bed = await bench(accept)
  recordEpisode(bed.home, 'a')
  await scan(bed.context)
  appendFileSync(bed.context.outbox.archivePath(EpisodeId.parse('a')), 'damage')
  expect(await shipPass(bed.shipping, 'all', bed.signal)).toMatchObject({ delivered: 0 })
  expect((await scan(bed.context)).packed.map((entry) => entry.id)).toEqual(['a'])
  expect(await shipPass(bed.shipping, 'all', bed.signal)).toMatchObject({ delivered: 1 })
})

test('one episode that always fails does not keep the others from their turn', async () => {
  const bed = await bench((request, response, body) =>
    request.url?.includes('/a.tar.zst') ? refuse(response, 'internal', 'oops') : accept(request, response, body),
  )
  for (const id of ['a', 'b']) recordEpisode(bed.home, id)
  await scan(bed.context)
  expect(await shipPass(bed.shipping, 'due', bed.signal)).toMatchObject({ attempted: 2, delivered: 1 })
  expect(await bed.context.outbox.entries()).toMatchObject([{ id: 'a', lane: 'ready', last: { status: 500, code: 'internal' } }])
})

test('a pass whose one transfer fails for good ends only when the other transfers have ended', async () => {
  const held: (() => void)[] = []
  const bed = await bench((request, response, body) => {
    if (!request.url?.includes('/a.tar.zst')) return held.push(() => accept(request, response, body))
    // The sidecar cannot be replaced: what became of this entry cannot be noted.
    mkdirSync(join(bed.home.outbox, 'a.json.tmp'))
    return refuse(response, 'internal', 'oops')
  }, 2)
  for (const id of ['a', 'b', 'c']) recordEpisode(bed.home, id)
  await scan(bed.context)
  let over = false
  const pass = shipPass(bed.shipping, 'all', bed.signal).finally(() => (over = true))
  const failed = expect(pass).rejects.toThrow(/a\.json/)
  await vi.waitFor(() => expect([held.length, [...bed.context.outbox.inFlight]]).toEqual([1, ['b']]))
  await new Promise(setImmediate)
  expect(over).toBe(false)
  for (const answer of held) answer()
  await failed
  expect(bed.requests.toSorted()).toEqual(['PUT /v1/episodes/a.tar.zst', 'PUT /v1/episodes/b.tar.zst'])
  expect((await bed.context.outbox.entries()).map(({ id }) => id)).toEqual(['a', 'c'])
})

test.each([
  ['store-full', 1],
  ['quota', 1],
  ['internal', 3],
] as const)(
  'a receiver that says %s to everything got the whole queue at once, and a line of ERROR for each',
  async (code, puts) => {
    const bed = await bench((_, response) => refuse(response, code, 'no'))
    for (const id of ['a', 'b', 'c', 'd', 'e']) recordEpisode(bed.home, id)
    await scan(bed.context)
    await shipPass(bed.shipping, 'due', bed.signal)
    expect(bed.requests.filter((one) => one.startsWith('PUT'))).toHaveLength(puts)
    await shipPass(bed.shipping, 'all', bed.signal)
    expect(bed.log.at('error').filter((one) => one['event'] === 'alarm')).toHaveLength(code === 'store-full' ? 1 : 0)
  },
)

test('an answer about one entry left the receiver held for the others', async () => {
  const bed = await bench((request, response, body) =>
    request.url?.includes('/a.') ? refuse(response, 'upload-in-progress', 'wait') : accept(request, response, body),
  )
  recordEpisode(bed.home, 'a')
  await scan(bed.context)
  bed.shipping.memory.hold = { until: 0, failures: 5, code: 'connection-refused' }
  await shipPass(bed.shipping, 'due', bed.signal)
  expect(bed.shipping.memory.hold.failures).toBe(0)
})

test('packing waited for a receiver that is away once for each commit', async () => {
  const bed = await bench((request) => void request.socket.destroy())
  const ask = gateAsker(bed.shipping, bed.signal)
  for (const commit of ['1', '2', '3']) expect(await ask(commit.repeat(40))).toEqual({ verdict: 'unavailable' })
  expect(bed.requests).toHaveLength(1)
  expect(bed.shipping.memory.hold).toMatchObject({ failures: 1, code: 'connection-cut' })
})
