/** The agent's shipping over a connection that breaks at every tenth of a transfer, against a real receiver: delivered in the end, exactly once. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scan } from '../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../packages/agent/src/commands/ship-pass.ts'
import type { Entry } from '../../packages/agent/src/outbox/entry.ts'
import { makeAgentHome, recordEpisode } from '../support/agent-home.ts'
import { type Act, ChaosProxy, type Direction } from '../support/chaos-proxy.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { shipBench } from '../support/ship-bench.ts'

const tenths = [1, 2, 3, 4, 5, 6, 7, 8, 9]
const bytes = 600_000
type Way = 'one PUT' | 'a resumable upload'

let site: Site
let receiver: TestReceiver
/** Bytes that the receiver says in a transfer without faults. */
const said = {} as Record<Way, number>
beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start({ plain: true, limits: { idle_timeout: '1s', uploads_per_host: 64, bodies: 64 } })
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
})

interface Broken {
  readonly on: Direction
  readonly tenth: number
  readonly act: Act
}

interface Shipped {
  /** Bytes that reached the receiver, that the archive has, and that the receiver said. */
  readonly carried: number
  readonly size: number
  readonly said: number
  /** How often the fault happened. */
  readonly broken: number
  /** The first offset that it went on from. */
  readonly resumedAt: number
}

/** One episode whose first connection breaks; delivered in the end. */
async function ship(id: string, way: Way, broken?: Broken): Promise<Shipped> {
  const after = broken && Math.round(((broken.on === 'up' ? bytes : said[way]) * broken.tenth) / 10)
  const fault = after === undefined ? [] : [{ ...(broken as Broken).act, on: (broken as Broken).on, after }]
  await using proxy = await ChaosProxy.open(receiver.url, (connection) => (connection === 0 ? { faults: fault } : {}))
  const home = makeAgentHome()
  recordEpisode(home, id, { 'telemetry.bin': randomBytes(bytes) }, { code_version: { commit: site.head } })
  const bench = await shipBench({ url: proxy.url, home, idleTimeout: 1500 })
  const { outbox } = bench.context
  await scan(bench.context)
  const [packed] = (await outbox.entries()) as [Entry]
  const tooSlow = { status: 408, code: 'too-slow', at: '2026-11-21T12:00:00.000Z' }
  if (way === 'a resumable upload') await outbox.update({ ...packed, last: tooSlow })
  // What the receiver still hears of a connection that is gone may hold an attempt up for a while.
  const left = async () => {
    await shipPass(bench.shipping, 'all', bench.signal)
    return (await outbox.entries()).length
  }
  await eventually(left, (entries) => entries === 0, 30_000)
  const receipts = readFileSync(join(home.state, 'receipts.jsonl'), 'utf8').trimEnd().split('\n')
  expect(receipts).toHaveLength(1)
  const resumed = bench.log.lines.find((line) => line['event'] === 'resumed')
  return {
    broken: broken ? proxy.done[broken.act.do] : 0,
    ...{ carried: proxy.carried.up, size: packed.bytes, said: proxy.carried.down },
    resumedAt: Number(resumed?.['offset'] ?? 0),
  }
}

const faults: [string, Direction, Act][] = [
  ['is cut', 'up', { do: 'cut' }],
  ['is reset', 'up', { do: 'reset' }],
  ['stalls', 'up', { do: 'stall', side: 'up' }],
  ['is closed by half towards the receiver', 'up', { do: 'half-close', side: 'up' }],
  ['is closed by half towards the agent', 'up', { do: 'half-close', side: 'down' }],
  ['trickles', 'up', { do: 'trickle', side: 'up', bytes: 8192, everyMs: 5 }],
  ['is cut in the middle of an answer', 'down', { do: 'cut' }],
  ['is reset in the middle of an answer', 'down', { do: 'reset' }],
  ['stalls in the middle of an answer', 'down', { do: 'stall', side: 'down' }],
  ['loses the rest of an answer', 'down', { do: 'swallow', side: 'down' }],
  ['is closed by half in the middle of an answer', 'down', { do: 'half-close', side: 'down' }],
]
/** The receiver gets to read what came before it happened. */
const keepsProgress = ['is cut', 'stalls', 'is closed by half towards the receiver']

describe.each(['one PUT', 'a resumable upload'] as const)('%s over a connection that', (way) => {
  test('is whole', async () => {
    const { carried, size, said: down } = await ship(`calm-${way.length}`, way)
    expect(carried).toBeLessThan(size + 10_000)
    said[way] = down
  })

  test.each(faults)('%s, at every tenth', { timeout: 180_000 }, async (what, on, act) => {
    const name = `${way} ${what}`.replaceAll(' ', '-').toLowerCase()
    const sent = await Promise.all(tenths.map((tenth) => ship(`${name}-${tenth}`, way, { on, tenth, act })))
    const rows = await eventually(
      async () => (await receiver.index()).filter((row) => String(row['id']).startsWith(`${name}-`)),
      (seen) => seen.length >= tenths.length,
    )
    expect(rows.map((row) => row['id']).sort()).toEqual(tenths.map((tenth) => `${name}-${tenth}`))
    // An answer may come over another connection than the one that breaks.
    expect(sent.filter(({ broken }) => broken === 1).length).toBeGreaterThan(on === 'up' ? tenths.length - 1 : 4)
    if (way === 'a resumable upload' && keepsProgress.includes(what)) {
      // On a busy machine many a connection ends before anybody has read of it; what was read is kept, and wire/tenths holds that for each.
      expect(sent.filter(({ resumedAt }) => resumedAt > 0)).not.toEqual([])
    }
  })
})
