/** Bundles over the wire: whole, in parts, and nothing else of the disk. And the commands beside the running receiver. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runToEnd } from '../support/program.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { ask, problemOf, type Question, sha256 } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
let config: string
const commit = 'c'.repeat(40)
const bytes = zstdCompressSync(crypto.getRandomValues(new Uint8Array(50_000)))
const path = `/v1/bundles/${commit}.tar.zst`

const command = (...args: string[]) => runToEnd('receiver', [...args, '--config', config])

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
  config = join(site.root, 'receiver.toml')
  writeFileSync(config, `state_dir = "${receiver.stateDir}"\n[update]\nkeep_bundles = 1\n`)
  writeFileSync(join(site.root, `${commit}.tar.zst`), bytes)
  writeFileSync(join(site.root, `${commit}.tar.zst.sha256`), `${sha256(bytes)}  ${commit}.tar.zst\n`)
  const { code, stdout, stderr } = await command('bundle', 'add', join(site.root, `${commit}.tar.zst`))
  expect([code, stdout]).toEqual([0, `${commit} is served\n`])
  expect(stderr).not.toContain('Error')
})
afterAll(() => site[Symbol.asyncDispose]())

const get = (question: Question = {}, target = path) => ask(receiver, target, question)

describe('a bundle', () => {
  it('is given with ETag and Repr-Digest; HEAD gives the same without the bytes', async () => {
    const headers = {
      etag: `"sha256-${sha256(bytes)}"`,
      'repr-digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
      'content-length': String(bytes.length),
      'content-type': 'application/zstd',
    }
    const answer = await get()
    expect([answer.status, answer.body.equals(bytes)]).toEqual([200, true])
    expect(answer.headers).toMatchObject(headers)
    expect(await get({ method: 'HEAD' })).toMatchObject({ status: 200, headers, body: Buffer.alloc(0) })
  })

  it('goes on where a download was cut', async () => {
    const answer = await get({ headers: { Range: 'bytes=40000-', 'If-Range': `"sha256-${sha256(bytes)}"` } })
    expect([answer.status, answer.body.equals(bytes.subarray(40_000))]).toEqual([206, true])
    const behind = await get({ headers: { Range: `bytes=${bytes.length}-` } })
    expect([behind.status, behind.headers['content-range']]).toEqual([416, `bytes */${bytes.length}`])
  })

  it('is for hosts with a certificate', async () => {
    const answer = await get({ identity: null })
    expect([answer.status, problemOf(answer).code]).toEqual([403, 'certificate-missing'])
  })

  it('that is not there is a 404 that says how it gets there', async () => {
    const answer = await get({}, `/v1/bundles/${'d'.repeat(40)}.tar.zst`)
    expect([answer.status, problemOf(answer).code]).toEqual([404, 'not-found'])
    expect(problemOf(answer).remediation).toContain('cis490-receiver bundle add')
  })

  it.each([
    '',
    '../index.jsonl',
    '..%2frollout.json',
    `${commit}.json`,
    `%63${commit.slice(1)}.tar.zst`,
    '.lock',
    `${commit}.tar.zst/`,
  ])('nothing else is reached: %j', async (name) => {
    mkdirSync(receiver.stateDir, { recursive: true })
    const answer = await get({}, `/v1/bundles/${name}`)
    expect([answer.status, problemOf(answer).code]).toEqual([404, 'not-found'])
  })

  it('is only read here', async () => {
    const answer = await get({ method: 'PUT', body: 'x' })
    expect([answer.status, problemOf(answer).code, answer.headers['allow']]).toEqual([405, 'method-not-allowed', 'GET, HEAD'])
  })
})

describe('the commands', () => {
  it('refuse what is not what it says it is, in one line that helps', async () => {
    const other = join(site.root, `${'e'.repeat(40)}.tar.zst`)
    writeFileSync(other, bytes)
    const [missing, wrong] = await Promise.all([
      command('bundle', 'add', other),
      command('bundle', 'add', other, '--sha256', '0'.repeat(64)),
    ])
    expect([missing.code, missing.stderr]).toEqual([3, expect.stringMatching(/\.sha256 is not there: bring it along, or say/)])
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining(`has the SHA-256 ${sha256(bytes)}, not 000`)])
    expect(existsSync(join(receiver.stateDir, 'bundles', `${'e'.repeat(40)}.tar.zst`))).toBe(false)
  })

  it('show who waits, as the running receiver knows it', async () => {
    const beat = { method: 'POST', body: JSON.stringify({ wave: 1, commit: site.commits[1] }) }
    expect((await get(beat, '/v1/hosts/lab-07/heartbeat')).status).toBe(200)
    const [shown, listed] = await Promise.all([command('rollout'), command('bundle', 'list', '--json')])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toMatch(/^wave 1 +lab-07 .* no report +waits \(soaking\): no host is in a wave before/m)
    expect(shown.stdout).toContain('1 host, 1 waiting')
    expect(JSON.parse(listed.stdout)).toMatchObject({ bundles: [{ commit, sha256: sha256(bytes), bytes: bytes.length }] })
  })
})
