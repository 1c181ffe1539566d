/** Resumable uploads of a real outbox to a receiver in memory. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import type { Entry } from '../../../packages/agent/src/outbox/entry.ts'
import type { Pace } from '../../../packages/agent/src/ship/pace.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { refuse, type ShipBench, shipBench } from '../../support/ship-bench.ts'
import { UploadPeer } from '../../support/upload-peer.ts'

interface Bed extends ShipBench {
  readonly peer: UploadPeer
  readonly entry: Entry
  ship(): Promise<{ delivered: number }>
}

/** One episode in the outbox whose last attempt was cut: it goes as a resumable upload. */
async function bed(bytes = 600_000): Promise<Bed> {
  const peer = await UploadPeer.listen()
  const bench = await shipBench({ url: peer.url, idleTimeout: 3000 })
  recordEpisode(bench.home, 'ep-1', { 'telemetry.bin': randomBytes(bytes) })
  await scan(bench.context)
  const [packed] = await bench.context.outbox.entries()
  const entry: Entry = { ...(packed as Entry), last: { status: 0, code: 'connection-cut', at: '2026-11-21T12:00:00.000Z' } }
  await bench.context.outbox.update(entry)
  return Object.assign(bench, { peer, entry, ship: () => shipPass(bench.shipping, 'all', bench.signal) })
}

const sidecar = ({ home }: Bed) => JSON.parse(readFileSync(join(home.outbox, 'ep-1.json'), 'utf8')) as Entry
const cuts = (bed: Bed) => bed.log.lines.filter((line) => line['reason'] === 'cut').length
/** What a lost answer to a plain PUT is followed by; it is not about uploads. */
const afterHead = ({ peer }: Bed) => peer.requests.slice(peer.requests[0] === 'HEAD episode' ? 1 : 0)

describe('a resumable upload', () => {
  test('is created without a byte, appended to, and ended by an empty request', async () => {
    const it = await bed()
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(afterHead(it)).toEqual(['PUT episode ?0', 'PATCH upload ?0', 'PATCH upload ?1'])
    const [created, appended] = it.peer.headers.slice(-3)
    expect(created).toMatchObject({
      'content-length': '0',
      'upload-length': String(it.entry.bytes),
      'upload-draft-interop-version': '8',
      'x-content-sha256': it.entry.sha256,
      'x-cis490-code-commit': it.entry.commit,
    })
    expect(appended).toMatchObject({ 'content-type': 'application/partial-upload', 'upload-offset': '0' })
    expect(it.peer.received).toBe(it.entry.bytes)
  })

  test('that is cut four times sends no byte twice', async () => {
    const it = await bed()
    it.peer.cuts = [100_000, 50_000, 1, 200_000]
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect([it.peer.received, cuts(it)]).toEqual([it.entry.bytes, 4])
  })

  test('that never gets further is left for later, and goes on there', async () => {
    const it = await bed()
    it.peer.cuts = [1000, ...Array(9).fill(1)]
    expect(await it.ship()).toMatchObject({ delivered: 0 })
    expect(sidecar(it)).toMatchObject({ lane: 'ready', last: { status: 0, code: 'connection-cut' } })
    expect(sidecar(it).upload_offset).toBeGreaterThanOrEqual(1000)
    it.peer.cuts = []
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(it.peer.received).toBe(it.entry.bytes)
  })

  test('of an agent that died goes on where it was', async () => {
    const it = await bed()
    it.peer.cuts = [100_000]
    it.peer.interfere = (request) =>
      request.method === 'HEAD' && request.url?.startsWith('/v1/uploads') === true && request.socket.destroy() !== undefined
    await it.ship()
    const { upload_url } = sidecar(it)
    expect(upload_url).toMatch(/^\/v1\/uploads\//)
    it.peer.interfere = () => false
    const second = await shipBench({ url: it.peer.url, home: it.home })
    const before = it.peer.requests.length
    expect(await shipPass(second.shipping, 'due', second.signal)).toMatchObject({ delivered: 1 })
    expect(it.peer.requests.slice(before)).toEqual(['HEAD upload', 'PATCH upload ?0', 'PATCH upload ?1'])
    expect(it.peer.received).toBe(it.entry.bytes)
  })

  test('whose last answer got lost is told it again', async () => {
    const it = await bed()
    let lost = 0
    it.peer.interfere = (request, response) => {
      if (request.headers['upload-complete'] !== '?1' || lost++ > 0) return false
      response.end = () => response.socket?.destroy() as never
      return false
    }
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(afterHead(it).slice(-3)).toEqual(['PATCH upload ?1', 'HEAD upload', 'PATCH upload ?1'])
    expect([it.peer.received, it.peer.stored.size]).toEqual([it.entry.bytes, 1])
  })

  test('that has been forgotten there is created anew', async () => {
    const it = await bed()
    it.peer.cuts = [100_000]
    let once = true
    it.peer.interfere = (request) => {
      if (once && request.method === 'HEAD' && request.url?.startsWith('/v1/uploads')) {
        it.peer.uploads.clear()
        once = false
      }
      return false
    }
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(afterHead(it).filter((one) => one === 'PUT episode ?0')).toHaveLength(2)
  })

  test('whose bytes are not ours there is given up and created anew', async () => {
    const it = await bed()
    it.peer.cuts = [100_000]
    let once = true
    it.peer.interfere = (request) => {
      const upload = it.peer.uploads.get(request.url ?? '')
      if (once && upload && request.method === 'HEAD') {
        upload.bytes = Buffer.concat([randomBytes(50_000), upload.bytes.subarray(50_000)])
        once = false
      }
      return false
    }
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(it.peer.requests).toContain('DELETE upload')
  })

  test('that is elsewhere goes on there', async () => {
    const it = await bed()
    let once = true
    it.peer.interfere = (request) => {
      const upload = it.peer.uploads.get(request.url ?? '')
      if (once && upload && request.method === 'PATCH') {
        upload.bytes = readFileSync(it.context.outbox.archivePath(it.entry.id)).subarray(0, 70_000)
        once = false
      }
      return false
    }
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(afterHead(it)).toEqual(['PUT episode ?0', 'PATCH upload ?0', 'PATCH upload ?0', 'PATCH upload ?1'])
    expect(it.peer.received).toBe(it.entry.bytes - 70_000)
  })

  test('carries no more at once than the receiver takes', async () => {
    const it = await bed()
    it.peer.says = { 'upload-limit': 'max-append-size=250000' }
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(it.peer.requests.filter((one) => one === 'PATCH upload ?0')).toHaveLength(Math.ceil(it.entry.bytes / 250_000))
  })

  test('with a hash that does not fit in the end is begun anew the next time', async () => {
    const it = await bed()
    it.peer.interfere = (request, response) => {
      if (request.headers['upload-complete'] !== '?1') return false
      it.peer.uploads.clear()
      refuse(response, 'sha256-mismatch', 'other bytes')
      return true
    }
    await it.ship()
    expect(sidecar(it)).toMatchObject({ lane: 'ready', mismatches: 1, last: { code: 'sha256-mismatch' } })
    expect(sidecar(it)).not.toHaveProperty('upload_url')
  })

  test('is no way around the gate: it refuses before a byte has flowed', async () => {
    const it = await bed()
    it.peer.interfere = (request, response) => {
      if (request.method !== 'PUT') return false
      refuse(response, 'commit-not-in-window', 'too old')
      return true
    }
    await it.ship()
    expect([sidecar(it).lane, it.peer.received]).toEqual(['gated', 0])
  })

  test('is not followed to another origin', async () => {
    const it = await bed()
    const stranger = await UploadPeer.listen()
    it.peer.says = { location: `${stranger.url}/v1/uploads/0123456789abcdef0123` }
    it.peer.interfere = (request, response) => {
      if (request.headers['upload-complete'] !== '?0') return false
      response.writeHead(201, { ...it.peer.says, 'upload-offset': '0', 'upload-complete': '?0' }).end()
      return true
    }
    await it.ship()
    expect([stranger.requests, sidecar(it).lane, sidecar(it).last?.code]).toEqual([[], 'ready', 'no-receipt'])
    expect(sidecar(it)).not.toHaveProperty('upload_url')
  })

  test('that somebody wrote into the sidecar leads nowhere', async () => {
    const it = await bed()
    const stranger = await UploadPeer.listen()
    await it.context.outbox.update({ ...it.entry, upload_url: `${stranger.url}/v1/uploads/0123456789abcdef0123` })
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(stranger.requests).toEqual([])
  })
})

test('one upload that stood still held the whole host for a quarter of an hour, with a false alarm', async () => {
  const it = await bed()
  it.peer.interfere = (request, response) => {
    if (request.method !== 'PATCH') return false
    request.resume().on('end', () => response.writeHead(204, { 'upload-offset': '0', 'upload-complete': '?0' }).end())
    return true
  }
  expect(await it.ship()).toMatchObject({ delivered: 0 })
  expect(sidecar(it)).toMatchObject({ lane: 'ready', last: { code: 'upload-stands-still' }, upload_url: expect.any(String) })
  expect([it.log.at('error'), it.shipping.memory.hold.failures]).toEqual([[], 0])
})

describe('a receiver that does not know resumable uploads', () => {
  test.each([
    ['takes the creation for an empty upload', 'sha256-mismatch'],
    ['has no such route', 'not-found'],
    ['has no such method', 'method-not-allowed'],
  ] as const)('that %s gets the archive in one piece, and the next one at once', async (_, code) => {
    const it = await bed()
    it.peer.interfere = (request, response) => {
      if (request.headers['upload-complete'] === undefined) return false
      refuse(response, code, 'what is this?')
      return true
    }
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(afterHead(it)).toEqual(['PUT episode ?0', 'PUT episode'])
    expect(it.shipping.memory.plainSince).toBe(it.clock)
  })

  test('that gives a receipt for the empty creation is not believed', async () => {
    const it = await bed()
    it.peer.interfere = (request, response) => {
      if (request.headers['upload-complete'] === undefined) return false
      const { id, sha256, bytes } = it.entry
      response.writeHead(201).end(JSON.stringify({ id, host: 'lab-07', sha256, bytes, received_at: '2026-11-21T12:00:00.000Z' }))
      return true
    }
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(it.peer.received).toBe(it.entry.bytes)
  })
})

describe('the pace', () => {
  test('ends a part at once and waits outside of the body', async () => {
    const it = await bed()
    const waits: number[] = []
    let yieldAt = 200_000
    let taken = 0
    const pace: Pace = {
      piece: 10_000,
      take: async (bytes) => {
        taken += bytes
      },
      mustYield: () => taken >= yieldAt,
      whenAllowed: async () => {
        if (taken >= yieldAt) {
          waits.push(taken)
          yieldAt = Number.POSITIVE_INFINITY
        }
      },
    }
    Object.assign(it.shipping, { pace })
    Object.assign(it.shipping.client(), { pace })
    expect(await it.ship()).toMatchObject({ delivered: 1 })
    expect(afterHead(it)).toEqual(['PUT episode ?0', 'PATCH upload ?0', 'PATCH upload ?0', 'PATCH upload ?1'])
    expect([waits, it.peer.received]).toEqual([[200_000], it.entry.bytes])
  })
})

test('bytes that did not arrive do not count as progress', async () => {
  const it = await bed()
  it.peer.cuts = [100_000]
  let progress = 0
  Object.assign(it.shipping, { onProgress: (_: Entry, bytes: number) => (progress += bytes) })
  await it.ship()
  expect(progress).toBe(it.entry.bytes)
})

test('an archive that is damaged in the middle of an upload is made anew from its episode', async () => {
  const it = await bed()
  it.peer.cuts = [100_000]
  it.peer.interfere = (request) => {
    if (request.method === 'HEAD' && request.url?.startsWith('/v1/uploads'))
      writeFileSync(it.context.outbox.archivePath(it.entry.id), 'damage')
    return false
  }
  await it.ship()
  it.peer.interfere = () => false
  expect((await scan(it.context)).packed).toMatchObject([{ id: 'ep-1', sha256: it.entry.sha256 }])
  expect(await it.ship()).toMatchObject({ delivered: 1 })
})
