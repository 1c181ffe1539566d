/** More connections than the receiver takes: the idle make way, the others are told to come later, and nobody is let fall. */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { ReceiverConfig } from '../../packages/receiver/src/config.ts'
import { standingRoom } from '../../packages/receiver/src/http/connections.ts'
import { connectionsFor } from '../../packages/receiver/src/http/file-limit.ts'
import { connectionsOfHosts } from '../../packages/receiver/src/listeners.ts'
import { capturedLog } from '../support/captured-log.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { problemOf, requestHead, Wire } from '../support/wire.ts'

let site: Site
beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

const path = '/v1/host-health/lab-07'

/** An open connection that has asked nothing yet. */
async function arrive(receiver: TestReceiver): Promise<Wire> {
  const before = await open(receiver)
  const wire = await Wire.connect(receiver)
  // The receiver's side of a handshake ends a little after ours.
  await eventually(
    () => open(receiver),
    (now) => now > before,
  )
  return wire
}

async function request(wire: Wire) {
  await wire.write(requestHead('GET', path))
  return await wire.answer('GET')
}

const open = (receiver: TestReceiver) => metric(receiver, 'cis490_connections_open')

async function metric({ opsUrl }: TestReceiver, name: string): Promise<number> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text()
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1) ?? 0,
  )
}

describe('at the limit of connections', () => {
  it('one more is answered 503 overloaded with a Retry-After, and served when another has gone', async () => {
    const receiver = await site.start({ limits: { connections: 2 } })
    using first = await arrive(receiver)
    using _second = await arrive(receiver)
    using told = await arrive(receiver)
    const answer = await request(told)
    expect([answer.status, problemOf(answer).code, answer.headers['connection']]).toEqual([503, 'overloaded', 'close'])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(10)
    using served = await arrive(receiver)
    first[Symbol.dispose]()
    told[Symbol.dispose]()
    await eventually(
      () => open(receiver),
      (count) => count === 2,
    )
    expect((await request(served)).status).toBe(404)
    expect(await metric(receiver, 'cis490_connections_refused_total{how="told"}')).toBe(1)
  })

  it('the one that has been idle for longest makes way', async () => {
    const receiver = await site.start({ limits: { connections: 16 } })
    const idle: Wire[] = []
    for (let k = 0; k < 3; k++) idle.push(await Wire.connect(receiver))
    for (const wire of idle) expect((await request(wire)).headers['connection']).not.toBe('close')
    // The first is used again: now the second has been idle for longest.
    await request(idle[0] as Wire)
    const quiet: Wire[] = []
    for (let k = 0; k < 13; k++) quiet.push(await arrive(receiver))
    using late = await Wire.connect(receiver)
    expect((await request(late)).status).toBe(404)
    await eventually(() => !idle[1]?.open)
    expect([idle[0]?.open, idle[2]?.open, ...quiet.map((wire) => wire.open)]).toEqual(Array(15).fill(true))
    for (const wire of [...idle, ...quiet]) wire[Symbol.dispose]()
  })

  it('near it, an answer ends its connection: a place is not kept for who comes once a minute', async () => {
    const receiver = await site.start({ limits: { connections: 8 } })
    const quiet: Wire[] = []
    for (let k = 0; k < 7; k++) quiet.push(await arrive(receiver))
    expect((await request(quiet[6] as Wire)).headers['connection']).not.toBe('close')
    using last = await arrive(receiver)
    const answer = await request(last)
    expect([answer.status, answer.headers['connection']]).toEqual([404, 'close'])
    for (const wire of quiet) wire[Symbol.dispose]()
  })

  it('what comes beyond all standing room is closed unheard, and counted', async () => {
    const receiver = await site.start({ limits: { connections: 1 }, plain: true })
    const all: Wire[] = []
    for (let k = 0; k < 1 + standingRoom(1); k++) all.push(await Wire.connect(receiver))
    await eventually(
      () => open(receiver),
      (count) => count === all.length,
    )
    using unheard = await Wire.connect(receiver)
    await eventually(() => !unheard.open)
    expect(await metric(receiver, 'cis490_connections_refused_total{how="unheard"}')).toBe(1)
    for (const wire of all) wire[Symbol.dispose]()
  })
})

describe('the files of the process', () => {
  test.each([
    [{ wanted: 2048, bodies: 16, files: 65_536 }, 2048],
    [{ wanted: 2048, bodies: 16, files: Number.POSITIVE_INFINITY }, 2048],
    [{ wanted: 2048, bodies: 16, files: 1024 }, 369],
    [{ wanted: 2048, bodies: 16, files: 256 }, 1],
  ])('%j leave %d connections', (given, most) => {
    expect(connectionsFor(given)).toBe(most)
  })

  test.each([610, 700, 1024, 2880, 2881, 4096])('%d are enough for connections, those that stand, and bodies', (files) => {
    const most = connectionsFor({ wanted: 2048, bodies: 16, files })
    expect(most + standingRoom(most) + 16 * 5 + 512).toBeLessThanOrEqual(files)
  })

  test('too few are told once, with what to do', () => {
    const log = capturedLog()
    const config = ReceiverConfig.parse({})
    expect(connectionsOfHosts(config, log.log, 1024).most).toBe(369)
    expect(log.at('warn')).toMatchObject([{ event: 'connections-lowered', connections: 369, files: 1024 }])
    expect(connectionsOfHosts(config, log.log, 65_536).most).toBe(2048)
    expect(log.at('warn')).toHaveLength(1)
  })
})
