/** Single turns of the daemon's loops: what goes wrong in one never makes the next come at once. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfig } from '@cis490/shared/node/config-file.ts'
import { encodeReceipt, Receipt } from '@cis490/shared/receipt.ts'
import { expect, test } from 'vitest'
import { makeApp } from '../../../packages/agent/src/app.ts'
import { scanTurn, shipTurn } from '../../../packages/agent/src/commands/loops.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { Turns } from '../../../packages/agent/src/commands/turns.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import type { Entry } from '../../../packages/agent/src/outbox/entry.ts'
import { putCarried } from '../../../packages/agent/src/receipts/spool.ts'
import { writePause } from '../../../packages/agent/src/ship/pause-file.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { answering, type Handler, refuse, shipBench } from '../../support/ship-bench.ts'

async function bench(handle: Handler, rescan = 30_000) {
  const { url, requests } = await answering(handle)
  const bed = await shipBench({ url })
  const { config } = bed.context
  const context = { ...bed.context, config: { ...config, ship: { ...config.ship, rescan } } }
  const app = makeApp(context, { write: () => true } as unknown as NodeJS.WriteStream, () => undefined)
  return Object.assign(bed, { context, app: { ...app, shipping: bed.shipping }, requests })
}

function receiptFor({ id, sha256, bytes }: Entry): string {
  return encodeReceipt(Receipt.parse({ id, host: 'lab-07', sha256, bytes, received_at: '2026-11-21T12:00:00.000Z' }))
}

test('a refusal of the certificate after which nothing was left to ship made it be read anew without end', async () => {
  const bed = await bench((_, response) => refuse(response, 'unauthorized', 'no'))
  const { app, context, signal } = bed
  bed.shipping.memory.hold = { until: bed.clock - 1, failures: 1, code: 'certificate-expired' }
  for (const _ of [1, 2, 3]) expect(await shipTurn(context, app, signal)).toBe(bed.clock + 30_000)
  expect(bed.log.lines.filter((line) => line['event'] === 'reloaded')).toHaveLength(1)
  expect(bed.shipping.memory.hold).toMatchObject({ failures: 1 })
})

test('a sidecar that could not be written, with a long rescan, made the archive be sent again without a pause', async () => {
  const bed = await bench((_, response) => refuse(response, 'internal', 'no'), 2 * 3_600_000)
  recordEpisode(bed.home, 'a')
  await scan(bed.context)
  mkdirSync(join(bed.home.outbox, 'a.json.tmp'))
  for (const _ of [1, 2, 3]) expect(await shipTurn(bed.context, bed.app, bed.signal)).toBeGreaterThanOrEqual(bed.clock + 1000)
  expect(bed.requests.filter((one) => one.startsWith('PUT'))).toHaveLength(1)
  expect(bed.log.at('error')).toMatchObject([{ event: 'ship-failed' }])
})

test.each(['0s', '50ms', '25h'])('a rescan of %s is a configuration error', (rescan) => {
  const text = `[receiver]\nurl = "https://receiver.lab:8443"\n[ship]\nrescan = "${rescan}"\n`
  expect(() => parseConfig(text, 'lab-host.toml', AgentConfig)).toThrow('lab-host.toml:4: ship.rescan: from "100ms" to "24h"')
})

test('while shipping is paused, receipts that a stick brought were not settled', async () => {
  const bed = await bench((_, response) => refuse(response, 'internal', 'no'))
  recordEpisode(bed.home, 'a')
  const [one] = (await scan(bed.context)).packed
  if (!one) throw new Error('nothing was packed')
  await writePause(bed.home.state, { by: 'ada', since: '2026-11-21T12:00:00Z' })
  await putCarried(bed.home.state, { id: one.id, text: receiptFor(one), keys: [] })
  await scanTurn(bed.context, bed.app, bed.signal)
  expect(await bed.context.outbox.entries()).toEqual([])
  expect(readFileSync(join(bed.home.state, 'receipts.jsonl'), 'utf8')).toContain(one.sha256)
})

test('what a stick settles while a pass runs is not sent by it', async () => {
  const bed = await bench((_, response) => refuse(response, 'internal', 'no'))
  for (const id of ['a', 'b', 'c']) recordEpisode(bed.home, id)
  const { outbox } = bed.context
  const [, b, c] = (await scan(bed.context)).packed
  if (!b || !c) throw new Error('nothing was packed')
  const turns = new Turns(bed.shipping, 'all', bed.signal)
  expect(await turns.next()).toMatchObject({ id: 'a' })
  outbox.markInFlight(b.id)
  await outbox.settleDelivered(c, receiptFor(c))
  expect(await turns.next()).toBeUndefined()
  expect(turns.out).toBe(1)
})

test('packing disturbed a recording that the same scan had found', async () => {
  const bed = await bench((_, response) => refuse(response, 'internal', 'no'))
  recordEpisode(bed.home, 'a')
  mkdirSync(join(bed.home.episodes, 'b'))
  const seen: string[] = []
  await scan(bed.context, {
    onRecording: () => seen.push('recording'),
    mayPack: () => {
      seen.push('may I pack?')
      return { go: 'on', slowly: false }
    },
  })
  expect(seen.slice(0, 2)).toEqual(['recording', 'may I pack?'])
})
