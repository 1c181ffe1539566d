/** The daemon's heartbeat: what it says, what it obeys, and that nothing depends on it. */

import { Heartbeat } from '@cis490/shared/heartbeat.ts'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeApp } from '../../../packages/agent/src/app.ts'
import { beat, heartbeatLoop } from '../../../packages/agent/src/commands/heartbeat.ts'
import { heldBack } from '../../../packages/agent/src/commands/make-manners.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { noHold } from '../../../packages/agent/src/core/backoff.ts'
import { inForce, lapseMs, lowerRate, nextBeatMs, nothingAsked } from '../../../packages/agent/src/core/directives.ts'
import { judgeManners, judgePacking } from '../../../packages/agent/src/core/manners.ts'
import { planPass } from '../../../packages/agent/src/core/pass-plan.ts'
import { calm } from '../../../packages/agent/src/core/pressure.ts'
import { readLastBeat } from '../../../packages/agent/src/ship/heartbeat-file.ts'
import { recordEpisode, stamp } from '../../support/agent-home.ts'
import { answering, type Handler, refuse, shipBench } from '../../support/ship-bench.ts'

const minute = 60_000

describe('what the receiver asked', () => {
  const told = { directives: { pause: true as const, rate: 100, want: [EpisodeId.parse('b')] }, at: 1000 }
  test.each([
    ['nothing was said yet', undefined, 1000, nothingAsked],
    ['it was said just now', told, 1000, { pause: true, rate: 4096, want: ['b'] }],
    ['it is ten minutes old', told, 1000 + 10 * minute, { pause: true, rate: 4096, want: ['b'] }],
    ['nothing was heard since for longer', told, 1001 + 10 * minute, nothingAsked],
    ['the clock went back', told, 999, nothingAsked],
    ['it was nothing', { directives: {}, at: 1000 }, 1000, nothingAsked],
  ])('when %s', (_, one, now, expected) => expect(inForce(one, now, minute)).toEqual(expected))

  test('counts for three intervals at least', () => expect(lapseMs(60 * minute)).toBe(180 * minute))

  test.each([
    [0, 0, 0],
    [5000, 0, 5000],
    [0, 6000, 6000],
    [5000, 6000, 5000],
  ])('of the limits %d and %d the lower counts, where it is one', (own, asked, rate) => expect(lowerRate(own, asked)).toBe(rate))

  test('pauses shipping, not packing', () => {
    const at = { pause: undefined, asked: true, insideWindow: true, pressure: calm, steady: 0, recording: false, now: 0 }
    expect(judgeManners(at)).toEqual({ go: 'wait', reason: 'directive' })
    expect(judgePacking(at)).toEqual({ go: 'on', slowly: false })
  })

  test('is sent first, in its order, before uploads that have begun', () => {
    const entries = [
      { id: 'a', lane: 'ready', attempts: 0, upload_url: '/v1/uploads/1' },
      ...['b', 'c', 'd'].map((id) => ({ id, lane: 'ready', attempts: 0 })),
    ]
    const plan = planPass(entries, noHold, 0, 'due', new Set(), () => 0, ['d', 'gone', 'c'])
    expect(plan.queue.map(({ id }) => id)).toEqual(['d', 'c', 'a', 'b'])
  })
})

test('heartbeats are out of step by up to a tenth', () => {
  expect([nextBeatMs(minute, 0), nextBeatMs(minute, 0.5), nextBeatMs(minute, 1)]).toEqual([54_000, 60_000, 66_000])
})

async function bed(handle: Handler) {
  const { url, requests } = await answering(handle)
  const bench = await shipBench({ url })
  const app = makeApp(bench.context, { write: () => true } as unknown as NodeJS.WriteStream, () => undefined)
  onTestFinished(() => app[Symbol.asyncDispose]())
  return Object.assign(bench, { app, requests })
}

describe('a heartbeat', () => {
  test('says what waits here, and goes to the path of this host', async () => {
    let said = ''
    const { app, context, home, requests, signal } = await bed((_, response, body) => {
      said = body.toString()
      response.writeHead(204).end()
    })
    recordEpisode(home, 'a')
    await scan(context)
    expect(await beat(context, app, signal)).toBe('heard')
    expect(requests).toEqual(['POST /v1/hosts/lab-07/heartbeat'])
    const [entry] = await context.outbox.entries()
    expect(Heartbeat.parse(JSON.parse(said))).toMatchObject({
      outbox: { ready: 1, gated: 0, quarantined: 0, bytes: entry?.bytes },
      episodes: { last_finished_at: context.outbox.packedOf(EpisodeId.parse('a'))?.at, stuck: 0 },
      disk_free_bytes: expect.any(Number),
      boot_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(entry?.commit).toBe(stamp)
  })

  test('brings directives, which hold until the next one brings others', async () => {
    const answers = ['{"pause":true,"rate":8192,"want":["b"]}', '{"rate":9000}', '']
    const { app, context, signal } = await bed((_, response) => {
      const body = answers.shift()
      response.writeHead(body ? 200 : 204).end(body)
    })
    expect(app.manners.mustYield()).toBe(false)
    await beat(context, app, signal)
    expect(app.directives.now).toEqual({ pause: true, rate: 8192, want: ['b'] })
    expect(app.shipping.wanted()).toEqual(['b'])
    expect(heldBack(context.config, context.now(), false)).toMatchObject({ reason: 'directive' })
    await beat(context, app, signal)
    expect(app.directives.now).toEqual({ pause: false, rate: 9000, want: [] })
    expect(app.manners.piece).toBe(2250)
    expect(heldBack(context.config, context.now(), false)).toBeUndefined()
    await beat(context, app, signal)
    expect(app.directives.now).toEqual(nothingAsked)
  })

  test.each<[string, Handler]>([
    ['not-found', (_, response) => refuse(response, 'not-found', 'no such path')],
    ['status-502', (_, response) => void response.writeHead(502).end('a proxy')],
    ['not-understood', (_, response) => void response.writeHead(200).end('{"pause":"maybe"}')],
    ['connection-cut', (_, response) => void response.destroy()],
  ])('that ends with %s changes nothing but what status says', async (code, handle) => {
    let first = true
    const { app, context, signal } = await bed((request, response, body) => {
      if (!first) return handle(request, response, body)
      first = false
      response.writeHead(200).end('{"want":["b"]}')
    })
    await beat(context, app, signal)
    const heard = readLastBeat(context.config.paths.state)
    expect(await beat(context, app, signal)).toBe(code)
    expect(app.directives.now.want).toEqual(['b'])
    expect(readLastBeat(context.config.paths.state)).toEqual({ ...heard, outcome: code, at: expect.any(String) })
  })

  test('that nobody hears is told once, and the loop ends with the daemon', async () => {
    const ending = new AbortController()
    let beats = 0
    const bench = await bed((_, response) => {
      beats += 1
      refuse(response, 'not-found', 'no such path')
      if (beats === 3) ending.abort()
    })
    const every = { ...bench.context.config, heartbeat: { every: 10 } }
    await heartbeatLoop({ ...bench.context, config: every }, bench.app, ending.signal)
    expect(beats).toBe(3)
    expect(bench.log.at('warn')).toMatchObject([{ event: 'heartbeat-unheard', code: 'not-found' }])
  })
})
