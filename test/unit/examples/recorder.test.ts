import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EpisodeMeta } from '@cis490/shared/episode.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'

const script = fileURLToPath(new URL('../../../examples/recorder/record.ts', import.meta.url))
const commit = 'ab'.repeat(20)
let episodes: string

beforeEach(async () => {
  episodes = await mkdtemp(join(tmpdir(), 'recorder-'))
})
afterEach(() => rm(episodes, { recursive: true }))

const argumentsFor = (seconds: string) => [
  script,
  '--episodes',
  episodes,
  '--host',
  'Lab-07',
  '--commit',
  commit,
  '--seconds',
  seconds,
]

async function expectFinished(id: string): Promise<EpisodeMeta> {
  const meta = EpisodeMeta.parse(JSON.parse(await readFile(join(episodes, id, 'meta.json'), 'utf8')))
  expect(meta.episode_id).toBe(id)
  const metaTime = (await stat(join(episodes, id, 'meta.json'))).mtimeMs
  for (const name of await readdir(join(episodes, id))) {
    expect((await stat(join(episodes, id, name))).mtimeMs, name).toBeLessThanOrEqual(metaTime)
    expect(name).toMatch(/^meta\.json$|\.jsonl$/)
  }
  return meta
}

test('an episode holds real samples of this machine and says which code made it', async () => {
  await promisify(execFile)(process.execPath, [...argumentsFor('0.3'), '--interval', '50ms'])
  const [id, ...others] = await readdir(episodes)
  expect(others).toEqual([])
  const meta = await expectFinished(id as string)
  expect(meta).toMatchObject({ host: 'lab-07', schema_version: '1', code_version: { commit, dirty: false }, samples: 6 })
  const lines = (await readFile(join(episodes, id as string, 'cpu.jsonl'), 'utf8')).trimEnd().split('\n')
  expect(lines).toHaveLength(6)
  expect(JSON.parse(lines[0] as string).text).toMatch(/^cpu {2}\d+/)
})

test('SIGTERM ends the running episode whole, and the recorder cleanly', async () => {
  const child = spawn(process.execPath, [...argumentsFor('0.2'), '--loop'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  await once(createInterface(child.stdout), 'line')
  child.kill('SIGTERM')
  expect(await closed).toEqual([0, null])
  const ids = await readdir(episodes)
  for (const id of ids) await expectFinished(id)
  expect(ids.length).toBeGreaterThanOrEqual(1)
  expect(new Set(ids).size).toBe(ids.length)
})

test.each([
  ['a commit that is none', ['--commit', 'main'], 'a commit is 40 or 64 hexadecimal digits'],
  ['a length that is none', ['--seconds', 'ten'], '--seconds "ten" is no number above 0'],
  ['an unknown option', ['--hots', 'x'], "Unknown option '--hots'"],
])('%s is a usage error in one line', async (_, extra, text) => {
  const failed = await promisify(execFile)(process.execPath, [...argumentsFor('1'), ...extra]).catch((error) => error)
  expect(failed.code).toBe(2)
  expect(failed.stderr).toContain(text)
  expect(failed.stderr).not.toContain('    at ')
  expect(await readdir(episodes)).toEqual([])
})
