/** What an operator writes about manners, and the rate limit on real connections. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseConfig } from '@cis490/shared/node/config-file.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeApp } from '../../../packages/agent/src/app.ts'
import { takeAgentLock } from '../../../packages/agent/src/commands/context.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import { parseUntil } from '../../../packages/agent/src/core/until.ts'
import { Outbox } from '../../../packages/agent/src/outbox/outbox.ts'
import { makeAgentHome, recordEpisode } from '../../support/agent-home.ts'
import { capturedLog } from '../../support/captured-log.ts'

test.each([
  ['rate_limit = "1KiB"', 'lab-host.toml:4: ship.rate_limit: ', '"4KiB" or more'],
  ['windows = ["22:00"]', 'lab-host.toml:4: ship.windows.0: ', 'a window has a beginning and an end'],
  ['max_pressure = { io = 140 }', 'lab-host.toml:4: ship.max_pressure.io: ', '100'],
  ['concurrency = 0', 'lab-host.toml:4: ship.concurrency: ', '1'],
])('%s is a configuration error that names line and key', (line, where, why) => {
  const text = `[receiver]\nurl = "https://receiver.lab:8443"\n[ship]\n${line}\n`
  expect(() => parseConfig(text, 'lab-host.toml', AgentConfig)).toThrow(where)
  expect(() => parseConfig(text, 'lab-host.toml', AgentConfig)).toThrow(why)
})

describe('the end of a pause', () => {
  const now = new Date(2026, 10, 21, 12, 0).getTime()
  const local = (...parts: [number, number, number, number, number]) => new Date(...parts).getTime()
  test.each([
    ['18:00', local(2026, 10, 21, 18, 0)],
    ['8:30', local(2026, 10, 22, 8, 30)],
    ['2026-11-23 07:00', local(2026, 10, 23, 7, 0)],
    ['2026-11-23T07:00:00Z', Date.UTC(2026, 10, 23, 7)],
  ])('%s is a time to come', (text, at) => expect(parseUntil(text, now)).toBe(at))
  test.each([
    ['teatime', 'write it like 18:00'],
    ['25:00', 'write it like 18:00'],
    ['2026-11-23', 'needs an hour; write it like "2026-11-23 18:00"'],
    ['2026-11-20 12:00', 'is over already'],
  ])('%s is none', (text, why) => expect(parseUntil(text, now)).toContain(why))
})

test('the rate limit holds for all transfers together', async () => {
  const arrived: { at: number; bytes: number }[] = []
  const server = createServer((request, response) => {
    const hash = createHash('sha256')
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      bytes += chunk.length
      arrived.push({ at: performance.now(), bytes: chunk.length })
    })
    request.on('end', () => {
      const id = /episodes\/(.+)\.tar\.zst/.exec(request.url ?? '')?.[1]
      const receipt = { id, host: 'lab-07', sha256: hash.digest('hex'), bytes, received_at: '2026-11-21T12:00:00.000Z' }
      response.writeHead(201).end(JSON.stringify(receipt))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  const home = makeAgentHome()
  const config = AgentConfig.parse({
    host: { name: 'lab-07' },
    receiver: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    paths: { episodes: home.episodes, outbox: home.outbox, state: home.state },
    ship: { concurrency: 2, rate_limit: '256KiB' },
    quota: { reserve: 0 },
  })
  const { log } = capturedLog()
  await using outbox = await Outbox.open({ outboxDir: home.outbox, stateDir: home.state, log, now: Date.now })
  const context = { config, outbox, log, now: Date.now }
  for (const id of ['a', 'b']) recordEpisode(home, id, { data: randomBytes(150_000).toString('latin1') })
  await scan(context)
  await using app = makeApp(context, process.stderr, () => undefined)
  const started = performance.now()
  const { delivered, bytes } = await shipPass(app.shipping, 'all', new AbortController().signal)
  expect(delivered).toBe(2)
  // Whatever was sent up to a moment is what the rate allows, and a burst of a quarter of a second.
  let sum = 0
  for (const one of arrived) {
    sum += one.bytes
    expect(sum).toBeLessThanOrEqual(256 * 1024 * ((one.at - started) / 1000 + 0.25) + 2048)
  }
  expect(sum).toBeGreaterThanOrEqual(bytes)
})

test.each(['outbox', 'state'] as const)('a folder that cannot be made is told with its key: paths.%s', async (key) => {
  const home = makeAgentHome()
  const paths = { episodes: home.episodes, outbox: home.outbox, state: home.state, [key]: '/proc/none/here' }
  const config = AgentConfig.parse({ receiver: { url: 'http://127.0.0.1:1' }, paths })
  await expect(takeAgentLock(config)).rejects.toThrow(`paths.${key}: cannot write to /proc/none/here (ENOENT`)
})
