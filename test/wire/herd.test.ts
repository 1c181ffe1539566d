/** All hosts come back at once after a restart of the receiver. */
import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { hostFiles, type IssuedFiles } from '../support/pki.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { problemOf, requestHead, uploadHeaders, Wire } from '../support/wire.ts'

const hosts = 20
const each = 10

let site: Site
const identities: IssuedFiles[] = []
beforeAll(async () => {
  site = await Site.make()
  for (let k = 0; k < hosts; k++) identities.push(await hostFiles(site.root, `h${k}`, site.pki.authority, `lab-${k}`))
})
afterAll(() => site[Symbol.asyncDispose]())

interface Told {
  readonly status: number
  readonly code: string
  readonly waitS: number
}

/** Sends until it is stored, and comes back when it is told to. @returns what it was told before */
async function deliver(
  receiver: TestReceiver,
  identity: IssuedFiles,
  id: string,
  archive: Buffer,
  together: () => Promise<void> = () => Promise.resolve(),
): Promise<Told[]> {
  const told: Told[] = []
  for (;;) {
    using wire = await Wire.connect(receiver, identity)
    if (told.length === 0) await together()
    const headers = { ...uploadHeaders(archive, site.head), 'Content-Length': archive.length, Connection: 'close' }
    await wire.write(requestHead('PUT', `/v1/episodes/${id}.tar.zst`, headers))
    await wire.write(archive)
    const answer = await wire.answer()
    if (answer.status === 201) return told
    const { code, status } = problemOf(answer)
    told.push({ status, code, waitS: Number(answer.headers['retry-after']) })
    await wait(Number(answer.headers['retry-after']) * 1000)
  }
}

it('two hundred uploads at once after a restart are admitted a few at a time, told when to come back, and none is lost', async () => {
  const stateDir = site.newStateDir()
  const limits = { bodies: 8, connections: 256 }
  const before = await site.start({ stateDir, limits })
  await deliver(before, identities[0] as IssuedFiles, 'before', episode('before', site.head))
  await before.stop()

  const after = await site.start({ stateDir, limits })
  const sent = identities.flatMap((identity, h) =>
    Array.from({ length: each }, (_, k) => ({ identity, id: `ep-${h}-${k}`, archive: episode(`ep-${h}-${k}`, site.head) })),
  )
  // All are connected before the first one sends: handshakes would let in one after the other.
  const { promise: connected, resolve: go } = Promise.withResolvers<void>()
  let waiting = 0
  const together = () => {
    waiting += 1
    if (waiting === sent.length) go()
    return connected
  }
  const told = await Promise.all(sent.map(({ identity, id, archive }) => deliver(after, identity, id, archive, together)))

  const stored = new Map((await after.index()).map((row) => [`${row['host']}/${row['id']}`, row['sha256']]))
  const wanted = sent.map(({ id, archive }, k) => {
    const sha256 = createHash('sha256').update(archive).digest('hex')
    return [`lab-${Math.floor(k / each)}/${id}`, sha256] as const
  })
  expect([...stored].filter(([key]) => key !== 'lab-0/before').toSorted()).toEqual(wanted.toSorted())
  const refusals = told.flat()
  // There were more than places, and each was told so in words.
  expect(refusals.length).toBeGreaterThan(0)
  expect(
    new Set(refusals.map(({ status, code }) => `${status} ${code}`).filter((one) => !/^(503 overloaded|429 rate)$/.test(one))),
  ).toEqual(new Set())
  expect(Math.min(...refusals.map(({ waitS }) => waitS))).toBeGreaterThanOrEqual(1)
  expect(Math.max(...refusals.map(({ waitS }) => waitS))).toBeLessThanOrEqual(60)
  expect(await after.incoming()).toEqual([])
})
