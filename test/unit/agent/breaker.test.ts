/** A long queue and a receiver that is away: few attempts, few writes, and full speed when it is back. */
import { createHash } from 'node:crypto'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import { linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import { isHeld } from '../../../packages/agent/src/core/backoff.ts'
import { makeAgentHome } from '../../support/agent-home.ts'
import { seeded } from '../../support/seeded.ts'
import { accept, refuse, shipBench } from '../../support/ship-bench.ts'

const workers = 8
const hour = 3_600_000

async function longQueue(queued: number) {
  const home = makeAgentHome()
  mkdirSync(home.outbox)
  const bytes = 'an archive'
  const first = join(home.outbox, 'ep-00000.tar.zst')
  const sidecar = JSON.stringify({
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    lane: 'ready',
    attempts: 0,
  })
  for (let index = 0; index < queued; index++) {
    const path = join(home.outbox, `ep-${String(index).padStart(5, '0')}`)
    if (index === 0) writeFileSync(first, bytes)
    else linkSync(first, `${path}.tar.zst`)
    writeFileSync(`${path}.json`, sidecar)
  }
  // A port that nobody listens at.
  const port = await listenOnce()
  return { port, bench: await shipBench({ url: `http://127.0.0.1:${port}`, concurrency: workers, home, random: seeded(1) }) }
}

async function listenOnce(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('with 10,000 entries queued, an hour without the receiver costs a few attempts, and its return brings full speed', {
  timeout: 120_000,
}, async () => {
  const { port, bench } = await longQueue(10_000)
  const { memory, outbox } = bench.shipping
  const attempts: number[] = []
  const count = () => attempts.push(bench.clock)
  diagnostics.subscribe('undici:client:beforeConnect', count)
  onTestFinished(() => void diagnostics.unsubscribe('undici:client:beforeConnect', count))
  const end = bench.clock + hour
  while (bench.clock < end) {
    await shipPass(bench.shipping, 'due', bench.signal)
    expect(isHeld(memory.hold, bench.clock)).toBe(true)
    bench.clock = memory.hold.until
  }
  // All workers find out together, then one at a time.
  expect(attempts.slice(0, workers).every((at) => at === attempts[0])).toBe(true)
  const later = attempts.slice(workers)
  expect(new Set(later).size).toBe(later.length)
  expect(later.length).toBeGreaterThan(5)
  expect(later.length).toBeLessThan(60)
  const touched = (await outbox.entries()).filter((entry) => entry.attempts > 0)
  expect(touched.reduce((sum, entry) => sum + entry.attempts, 0)).toBe(attempts.length)

  const all = Promise.withResolvers<void>()
  const enough = new AbortController()
  let [inside, most, answered] = [0, 0, 0]
  const server = createServer((request, response) => {
    inside += 1
    most = Math.max(most, inside)
    if (most === workers) all.resolve()
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    const answer = () => {
      answered += 1
      inside -= 1
      accept(request, response, Buffer.concat(chunks))
      if (answered === 50) enough.abort()
    }
    // The probe is answered; who comes after it waits until everybody is there.
    request.on('end', () => (answered > 0 ? void all.promise.then(answer) : answer()))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { delivered } = await shipPass(bench.shipping, 'due', enough.signal)
  expect(delivered).toBeGreaterThanOrEqual(40)
  expect([most, memory.hold.failures]).toEqual([workers, 0])
})

test.each([
  ['says that it is busy', (response: Parameters<typeof refuse>[0]) => refuse(response, 'overloaded', 'busy')],
  ['stands behind a proxy that cannot reach it', (response: Parameters<typeof refuse>[0]) => response.writeHead(502).end()],
])('a receiver that %s is left alone by the whole queue', { timeout: 120_000 }, async (_, answer) => {
  const { port, bench } = await longQueue(500)
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    request.resume().on('end', () => answer(response))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const end = bench.clock + hour
  while (bench.clock < end) {
    await shipPass(bench.shipping, 'due', bench.signal)
    bench.clock = Math.max(bench.clock + 1000, bench.shipping.memory.hold.until)
  }
  expect(requests).toBeLessThan(60)
})
