/** Signs of life: who may give them, what is kept of them, and what the receiver asks in return. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expired, hostFiles } from '../support/pki.ts'
import { eventually, readRows, Site, type TestReceiver } from '../support/receiver.ts'
import { ask, jsonOf, problemOf, requestHead, Wire } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
const path = '/v1/hosts/lab-07/heartbeat'

beforeAll(async () => {
  site = await Site.make()
  const directivesFile = join(site.root, 'directives.toml')
  writeFileSync(directivesFile, '[[directive]]\nhost = "lab-08"\nrate = "64KiB"\nwant = ["ep-2", "ep-1"]\nhold_update = true\n')
  // No commit set at all: a heartbeat is not gated.
  const nowhere = { forgejo_url: 'http://127.0.0.1:1', repo_owner: 'o', repo_name: 'r', directives_file: directivesFile }
  receiver = await site.start({ version_gate: nowhere })
})
afterAll(() => site[Symbol.asyncDispose]())

const beat = (body: string, target = path, more = {}) => ask(receiver, target, { method: 'POST', body, ...more })
const rows = (of = receiver) => readRows(join(of.stateDir, 'heartbeats.jsonl'))

describe('a heartbeat', () => {
  it('is answered 204 and is soon a row, with the time of the receiver', async () => {
    const said = {
      at: '2020-01-01T00:00:00.000Z',
      boot_id: 'boot-1',
      outbox: { ready: 2, gated: 1, quarantined: 0, bytes: 4096, oldest_age_s: 12 },
      episodes: { last_finished_at: '2020-01-01T00:00:00.000Z' },
      disk_free_bytes: 1_000_000,
      commit: site.head,
      cert_not_after: '2030-01-01T00:00:00.000Z',
      agent_version: '1.2.3',
    }
    const answer = await beat(JSON.stringify(said))
    expect([answer.status, answer.body.length]).toEqual([204, 0])
    const found = await eventually(
      () => rows(),
      (seen) => seen.length > 0,
    )
    const { at, ...rest } = said
    expect(found[0]).toEqual({ ...rest, host: 'lab-07', sent_at: at, at: expect.stringMatching(/^20[2-9]\d-.*Z$/) })
    expect(Date.now() - Date.parse(String(found[0]?.['at']))).toBeLessThan(60_000)
  })

  it.each(['', 'no json', '[]', '{"host":"lab-08"}', '{"outbox":{"ready":"many"}}', '{"at":"yesterday"}'])(
    'that is %j is a bad-report',
    async (body) => {
      const answer = await beat(body)
      expect([answer.status, problemOf(answer).code]).toEqual([400, 'bad-report'])
    },
  )

  it('says which member is wrong', async () => {
    expect(problemOf(await beat('{"outbox":{"ready":"many"}}')).detail).toContain('outbox.ready')
  })

  it('of more than 16 KiB is too-large', async () => {
    const answer = await beat(JSON.stringify({ agent_version: 'x', pad: 'y'.repeat(16 << 10) }))
    expect([answer.status, problemOf(answer)]).toEqual([413, expect.objectContaining({ max_bytes: 16 << 10 })])
  })

  it('for another host is wrong-host', async () => {
    const answer = await beat('{}', '/v1/hosts/lab-08/heartbeat')
    expect([answer.status, problemOf(answer).code]).toEqual([403, 'wrong-host'])
  })

  it('may come with a certificate that expired less than 30 days ago, as a report may: the host is alive', async () => {
    const late = await hostFiles(site.root, 'late-29', site.pki.authority, 'lab-07', expired(29))
    expect((await beat('{}', path, { identity: late })).status).toBe(204)
    const tooLate = await hostFiles(site.root, 'late-31', site.pki.authority, 'lab-07', expired(31))
    const answer = await beat('{}', path, { identity: tooLate })
    expect([answer.status, problemOf(answer).code]).toEqual([403, 'certificate-expired'])
  })

  it('is a POST, and who may not be here is not told so', async () => {
    const get = await ask(receiver, path)
    expect([get.status, problemOf(get).code, get.headers['allow']]).toEqual([405, 'method-not-allowed', 'POST'])
    const stranger = await ask(receiver, path, { identity: null })
    expect([stranger.status, problemOf(stranger).code]).toEqual([403, 'certificate-missing'])
  })

  it('that waits to be asked for its body is asked', async () => {
    using wire = await Wire.connect(receiver)
    await wire.write(requestHead('POST', path, { 'Content-Length': 2, Expect: '100-continue' }))
    expect((await wire.answer()).status).toBe(100)
    await wire.write('{}')
    expect((await wire.answer()).status).toBe(204)
  })

  it('is written down when the receiver stops', async () => {
    const other = await site.start()
    expect((await ask(other, path, { method: 'POST', body: '{}' })).status).toBe(204)
    await other.stop()
    expect(await rows(other)).toMatchObject([{ host: 'lab-07' }])
  })
})

it('brings back what is asked of the host, and of no other', async () => {
  const other = await hostFiles(site.root, 'other', site.pki.authority, 'lab-08')
  const asked = await beat('{}', '/v1/hosts/lab-08/heartbeat', { identity: other })
  expect([asked.status, jsonOf(asked)]).toEqual([
    200,
    {
      rate: 65_536,
      want: ['ep-2', 'ep-1'],
      update: { allowed: false, reason: 'hold-update', text: 'held by the operator' },
    },
  ])
})
