/** Limits of load: what is refused for now, with Retry-After, and taken later. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { hostFiles, type IssuedFiles } from '../support/pki.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { problemOf, put, requestHead, uploadHeaders, Wire, type WireAnswer } from '../support/wire.ts'

let site: Site

beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

const send = (to: TestReceiver, id: string, payload: string | Uint8Array = 'x') =>
  put(to, id, episode(id, site.head, payload), { commit: site.head })

function expectLater(answer: WireAnswer, status: number, code: string): void {
  expect([answer.status, problemOf(answer).code]).toEqual([status, code])
  expect(answer.headers['retry-after']).toBe(String(problemOf(answer).retry_after_s))
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1)
}

/** An upload whose body waits. */
async function begin(to: TestReceiver, id: string): Promise<{ wire: Wire; finish: () => Promise<WireAnswer> }> {
  const body = episode(id, site.head)
  const wire = await Wire.connect(to)
  const headers = { ...uploadHeaders(body, site.head), 'Content-Length': body.length, Expect: '100-continue' }
  await wire.write(requestHead('PUT', `/v1/episodes/${id}.tar.zst`, headers))
  return {
    wire,
    finish: async () => {
      await wire.write(body)
      return await wire.answer()
    },
  }
}

describe('bodies at once', () => {
  it('are bounded over all hosts: overloaded, until one has ended', async () => {
    const busy = await site.start({ limits: { bodies: 1 } })
    const first = await begin(busy, 'first')
    expect((await first.wire.answer()).status).toBe(100)
    expectLater(await send(busy, 'second'), 503, 'overloaded')
    expect((await first.finish()).status).toBe(201)
    expect((await send(busy, 'second')).status).toBe(201)
    first.wire.socket.destroy()
  })

  it('are counted without a gap: of many that come together only as many as allowed are let in', async () => {
    const busy = await site.start({ limits: { bodies: 2, uploads_per_host: 64 } })
    const ids = Array.from({ length: 12 }, (_, k) => `together-${k}`)
    const begun = await Promise.all(ids.map((id) => begin(busy, id)))
    const answers = await Promise.all(begun.map(({ wire }) => wire.answer()))
    expect(answers.filter(({ status }) => status === 100)).toHaveLength(2)
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(10)
    for (const { wire } of begun) wire.socket.destroy()
  })

  it('are bounded for each host: rate', async () => {
    const busy = await site.start({ limits: { uploads_per_host: 1 } })
    const first = await begin(busy, 'first')
    expect((await first.wire.answer()).status).toBe(100)
    expectLater(await send(busy, 'second'), 429, 'rate')
    first.wire.socket.destroy()
    await eventually(
      () => busy.incoming(),
      (names) => names.length === 0,
    )
    expect((await send(busy, 'second')).status).toBe(201)
  })
})

it('connections of one host are bounded: rate', async () => {
  const narrow = await site.start({ limits: { connections_per_host: 1 } })
  using kept = await Wire.connect(narrow)
  await kept.write(requestHead('GET', '/v1/gate'))
  expect((await kept.answer()).status).toBe(200)
  expectLater(await send(narrow, 'x'), 429, 'rate')
  // The one that is open still works.
  await kept.write(requestHead('GET', '/v1/gate'))
  expect((await kept.answer()).status).toBe(200)
})

describe('the day', () => {
  it('has a quota of episodes', async () => {
    const limited = await site.start({ limits: { episodes_per_day: 2 } })
    expect((await send(limited, 'one')).status).toBe(201)
    expect((await send(limited, 'two')).status).toBe(201)
    expectLater(await send(limited, 'three'), 429, 'quota')
  })

  it('has a quota of bytes', async () => {
    const limited = await site.start({ limits: { bytes_per_day: 1000 } })
    expect((await send(limited, 'small')).status).toBe(201)
    const incompressible = crypto.getRandomValues(new Uint8Array(2000))
    expectLater(await send(limited, 'large', incompressible), 429, 'quota')
    expect((await send(limited, 'small-2')).status).toBe(201)
  })
})

it('a disk without head-room takes nothing: store-full', async () => {
  const full = await site.start({ limits: { headroom: '1000TiB' } })
  expectLater(await send(full, 'x'), 507, 'store-full')
  expect(await full.incoming()).toEqual([])
})

describe('stopping', () => {
  it('answers shutting-down for a moment, on every route, and lets a running body end', async () => {
    const leaving = await site.start()
    const running = await begin(leaving, 'running')
    expect((await running.wire.answer()).status).toBe(100)
    using kept = await Wire.connect(leaving)
    const stopped = leaving.stop(true)
    expectLater(await send(leaving, 'late'), 503, 'shutting-down')
    expect(await leaving.rejects()).toMatchObject([{ host: 'lab-07', id: 'late', status: 503, code: 'shutting-down' }])
    await kept.write(requestHead('GET', '/v1/gate'))
    const told = await kept.answer('GET')
    expectLater(told, 503, 'shutting-down')
    expect(told.headers['connection']).toBe('close')
    const ready = await fetch(`${leaving.opsUrl}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, reasons: ['shutting down'] }])
    expect((await fetch(`${leaving.opsUrl}/healthz`)).status).toBe(200)
    expect((await running.finish()).status).toBe(201)
    running.wire.socket.destroy()
    await stopped
    expect(await leaving.index()).toMatchObject([{ id: 'running' }])
  })

  it('cuts a body that does not end within drain, and tells it so', async () => {
    const leaving = await site.start({ drain: '300ms' })
    const running = await begin(leaving, 'endless')
    expect((await running.wire.answer()).status).toBe(100)
    const stopped = leaving.stop()
    expectLater(await running.wire.answer(), 503, 'shutting-down')
    await stopped
    expect(await leaving.incoming()).toEqual([])
    expect(await leaving.index()).toEqual([])
  })
})

describe('a greedy host', () => {
  it('that has all places gives back to hosts that wait: what it ends with goes to them', async () => {
    const busy = await site.start({ limits: { bodies: 3, uploads_per_host: 64 } })
    const names = ['lab-08', 'lab-09']
    const others = await Promise.all(names.map((name) => hostFiles(site.pki.dir, name, site.pki.authority, name)))
    const greedy = await Promise.all(['g0', 'g1', 'g2'].map((id) => begin(busy, id)))
    for (const { wire } of greedy) expect((await wire.answer()).status).toBe(100)
    const sendAs = (identity: IssuedFiles) => put(busy, 'one', episode('one', site.head), { commit: site.head, identity })
    for (const other of others) expectLater(await sendAs(other), 503, 'overloaded')
    // One place is free now, then two; the greedy one is first to ask for them.
    for (const [k, place] of greedy.slice(0, 2).entries()) {
      expect((await place.finish()).status).toBe(201)
      expectLater(await send(busy, `g${k + 3}`), 429, 'rate')
    }
    for (const other of others) expect((await sendAs(other)).status).toBe(201)
    expect((await send(busy, 'g3')).status).toBe(201)
    for (const { wire } of greedy) wire.socket.destroy()
  })
})
