/** A connection that stalls, trickles, is reset or half-closed at every tenth of a body: what is left, what is answered, and the next upload. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { type Act, ChaosProxy } from '../support/chaos-proxy.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { append, create, look, partHeaders, stateOf } from '../support/uploads.ts'
import { problemOf, put, requestHead, uploadHeaders, Wire, type WireAnswer } from '../support/wire.ts'

const tenths = Array.from({ length: 10 }, (_, k) => k)
const payload = crypto.getRandomValues(new Uint8Array(60_000))
/** Where no certificate says so. */
const asHost = { 'X-Cis490-Host': 'lab-07' }
const manyAtOnce = { bodies: 64, uploads_per_host: 64 }

let site: Site
let receiver: TestReceiver
let strict: TestReceiver
let plain: TestReceiver
let proxy: ChaosProxy

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start({ limits: manyAtOnce })
  strict = await site.start({ limits: { ...manyAtOnce, idle_timeout: '1s', min_rate: '1GiB' } })
  plain = await site.start({ limits: manyAtOnce, plain: true })
  proxy = await ChaosProxy.open(receiver.url)
})
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

interface Begun {
  readonly tenth: number
  readonly id: string
  readonly body: Buffer
  readonly sent: number
  readonly wire: Wire
  /** Of a resumable upload. */
  readonly path: string
}

const through = () => ({ url: proxy.url, pki: site.pki })

/** Ten uploads whose bodies have come to nought, one, two ... nine tenths. */
function beginPuts(to: { url: string; pki: TestReceiver['pki'] }, name: string, fractions = tenths): Promise<Begun[]> {
  return Promise.all(
    fractions.map(async (tenth) => {
      const id = `${name}-${tenth}`
      const body = episode(id, site.head, payload)
      const headers = { ...uploadHeaders(body, site.head), ...asHost, 'Content-Length': body.length }
      const head = requestHead('PUT', `/v1/episodes/${id}.tar.zst`, headers)
      return { tenth, id, body, path: '', ...(await send(to, head, body, tenth)) }
    }),
  )
}

/** The same as one part each of a resumable upload. */
function beginPatches(to: { url: string; pki: TestReceiver['pki'] }, name: string, fractions = tenths): Promise<Begun[]> {
  return Promise.all(
    fractions.map(async (tenth) => {
      const id = `${name}-${tenth}`
      const body = episode(id, site.head, payload)
      const path = (await create(to, id, body, { commit: site.head, headers: asHost })).headers['location'] as string
      const head = requestHead('PATCH', path, { ...partHeaders(0, true), ...asHost, 'Content-Length': body.length })
      return { tenth, id, body, path, ...(await send(to, head, body, tenth)) }
    }),
  )
}

async function send(to: { url: string; pki: TestReceiver['pki'] }, head: string, body: Buffer, tenth: number) {
  const sent = Math.floor((body.length * tenth) / 10)
  const wire = await Wire.connect(to)
  await wire.write(head)
  await wire.write(body.subarray(0, sent))
  return { sent, wire }
}

/** One byte and one byte more, until the answer is there. */
async function trickle({ wire, body, sent }: Begun): Promise<WireAnswer> {
  let at = sent
  const drip = setInterval(() => void wire.write(body.subarray(at, ++at)), 20)
  return await wire.answer().finally(() => clearInterval(drip))
}

/** `[tenth, status, code]`; what has no answer has neither. */
async function outcome({ tenth, wire }: Begun, answer = wire.answer()): Promise<unknown[]> {
  const given = await answer.catch(() => undefined)
  wire.socket.destroy()
  return given ? [tenth, given.status, given.status < 300 ? undefined : problemOf(given).code] : [tenth, undefined, undefined]
}

const each = (...rest: unknown[]) => tenths.map((tenth) => [tenth, ...rest])

async function expectNextUploads(to: TestReceiver, begun: readonly Begun[]): Promise<void> {
  await eventually(
    () => to.incoming(),
    (names) => names.length === 0,
  )
  for (const { id, body } of begun) expect((await put(to, id, body, { commit: site.head })).status).toBe(201)
  const rows = (await to.index()).map((row) => row['id'])
  for (const { id } of begun) expect(rows.filter((other) => other === id)).toHaveLength(1)
}

/** What arrived is there, the rest is sent, and the episode is stored once. */
async function expectResumed(to: TestReceiver, begun: readonly Begun[], exactly: boolean): Promise<void> {
  for (const { id, body, sent, path } of begun) {
    const seen = await eventually(
      async () => stateOf(await look(to, path)),
      ([, offset]) => !exactly || offset >= sent,
    )
    const [status, offset] = seen
    expect([status, offset >= 0 && offset <= sent + 100]).toEqual([204, true])
    const last = await append(to, path, offset, body.subarray(offset), { complete: true })
    expect([last.status, id]).toEqual([201, id])
  }
  const rows = (await to.index()).map((row) => row['id'])
  for (const { id } of begun) expect(rows.filter((other) => other === id)).toHaveLength(1)
  expect((await readdir(join(to.stateDir, 'uploads'))).filter((name) => name.endsWith('.part'))).toEqual([])
}

const broken: readonly [string, Act][] = [
  ['reset', { do: 'reset' }],
  ['ended by FIN', { do: 'cut' }],
]

/** The bytes that were sent are through the proxy: TLS only adds to them. */
async function arrived(before: number, begun: readonly Begun[]): Promise<void> {
  const bytes = begun.reduce((sum, { sent }) => sum + sent, 0)
  await eventually(() => proxy.carried.up - before >= bytes)
}

describe('at every tenth of a PUT a connection that', () => {
  it('stalls gets 408, nothing is left, and the next upload is fine', async () => {
    const begun = await beginPuts(strict, 'put-stalls')
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual(each(408, 'too-slow'))
    await expectNextUploads(strict, begun)
  })

  it('trickles gets 408, nothing is left, and the next upload is fine', async () => {
    const begun = await beginPuts(strict, 'put-trickles')
    expect(await Promise.all(begun.map((one) => outcome(one, trickle(one))))).toEqual(each(408, 'too-slow'))
    await expectNextUploads(strict, begun)
  })

  it.each(broken)('is %s leaves nothing, and the next upload is fine', async (how, act) => {
    const before = proxy.carried.up
    const begun = await beginPuts(through(), `put-${how.slice(0, 5)}`)
    await eventually(
      () => receiver.incoming(),
      (names) => names.length === begun.length,
    )
    await arrived(before, begun)
    proxy.actOnAll(act)
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual(each(undefined, undefined))
    await expectNextUploads(receiver, begun)
  })

  it('is half-closed hears that the bytes are not those that were announced; nothing is left, and the next upload is fine', async () => {
    const begun = await beginPuts(receiver, 'put-half-closed')
    for (const { wire } of begun) wire.socket.end()
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual(each(400, 'sha256-mismatch'))
    await expectNextUploads(receiver, begun)
  })

  it('is half-closed after the whole body gets its 201: the answer is due', async () => {
    const begun = await beginPuts(plain, 'put-then-fin', [10])
    for (const { wire } of begun) wire.socket.end()
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual([[10, 201, undefined]])
  })

  it('is closed after the whole body leaves the episode stored or not, and the next upload is fine', async () => {
    const [begun] = (await beginPuts(receiver, 'put-then-close', [10])) as [Begun]
    begun.wire.socket.end()
    await eventually(() => begun.wire.socket.destroyed)
    await eventually(
      () => receiver.incoming(),
      (names) => names.length === 0,
    )
    expect([200, 201]).toContain((await put(receiver, begun.id, begun.body, { commit: site.head })).status)
    expect((await receiver.index()).filter((row) => row['id'] === begun.id)).toHaveLength(1)
  })
})

describe('at every tenth of a PATCH a connection that', () => {
  it('stalls gets 408, what arrived stays, and the rest is enough', async () => {
    const begun = await beginPatches(strict, 'patch-stalls')
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual(each(408, 'too-slow'))
    await expectResumed(strict, begun, true)
  })

  it('trickles gets 408, what arrived stays, and the rest is enough', async () => {
    const begun = await beginPatches(strict, 'patch-trickles')
    expect(await Promise.all(begun.map((one) => outcome(one, trickle(one))))).toEqual(each(408, 'too-slow'))
    await expectResumed(strict, begun, true)
  })

  it.each(broken)('is %s keeps what arrived, and the rest is enough', async (how, act) => {
    const before = proxy.carried.up
    const begun = await beginPatches(through(), `patch-${how.slice(0, 5)}`)
    await arrived(before, begun)
    proxy.actOnAll(act)
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual(each(undefined, undefined))
    await expectResumed(receiver, begun, false)
  })

  it('is half-closed hears that it came to no end; what arrived stays, and the rest is enough', async () => {
    const begun = await beginPatches(receiver, 'patch-half-closed')
    for (const { wire } of begun) wire.socket.end()
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual(each(408, 'too-slow'))
    await expectResumed(receiver, begun, false)
  })

  it('is half-closed after the whole body gets its 201: the answer is due', async () => {
    const begun = await beginPatches(plain, 'patch-then-fin', [10])
    for (const { wire } of begun) wire.socket.end()
    expect(await Promise.all(begun.map((one) => outcome(one)))).toEqual([[10, 201, undefined]])
  })
})
