import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = join(root, 'scripts/demo/main.ts')
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'demo-test-'))
})
afterEach(async () => {
  expect(await programsIn(dir)).toEqual([])
  await rm(dir, { recursive: true, force: true })
})

/** In a process group of its own, as a shell starts it. */
function demo(...args: string[]) {
  return start(process.execPath, [script, '--dir', dir, ...args])
}

function start(file: string, args: readonly string[]) {
  const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const said: string[] = []
  const heard = (line: string) => void said.push(line)
  const lines = createInterface(child.stdout).on('line', heard)
  createInterface(child.stderr).on('line', heard)
  return { pid: child.pid as number, lines, said, ended: once(child, 'close') as Promise<[number | null, string | null]> }
}

/** Command lines of running programs that name the folder. */
async function programsIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(folder)).map((line) => line.replaceAll('\0', ' '))
}

async function untilLine(run: ReturnType<typeof demo>, wanted: RegExp): Promise<void> {
  const seen = new Promise<void>((resolve) => run.lines.on('line', (line) => wanted.test(line) && resolve()))
  const early = run.ended.then(([code]) => Promise.reject(new Error(`ended with ${code}:\n${run.said.join('\n')}`)))
  await Promise.race([seen, early])
}

test('one round delivers an episode, shows its row, and shows how a stale host is refused', async () => {
  const run = demo('--once', '--seconds', '1')
  const [code] = await run.ended
  const text = run.said.join('\n')
  expect(code, text).toBe(0)

  const rows = (await readFile(join(dir, 'receiver', 'index.jsonl'), 'utf8')).trimEnd().split('\n')
  expect(rows).toHaveLength(1)
  const row = JSON.parse(rows[0] as string)
  for (const key of ['id', 'sha256', 'commit', 'received_at', 'prev']) expect(text).toContain(row[key])

  expect(text).toContain('412 commit-not-in-window')
  expect(text).toContain('cd /opt/cis490 && sudo -u cis490 git pull origin ')
  expect(text).toContain('sudo /opt/cis490/scripts/install-lab-host.sh')
  expect(text).toContain('sudo systemctl restart cis490-orchestrator')
  expect(await readdir(join(dir, 'stale-host', 'outbox'))).toHaveLength(2)
  expect(text).toContain(`Everything is kept in ${dir}`)
})

test('goes on delivering until Ctrl-C, which ends all of it within two seconds', async () => {
  const run = demo('--seconds', '1')
  await untilLine(run, /^✓ \d\d:\d\d:\d\d {2}\S+ .* row 2$/)
  expect((await programsIn(dir)).length).toBeGreaterThanOrEqual(4)
  const asked = performance.now()
  process.kill(-run.pid, 'SIGINT')
  expect(await run.ended, run.said.join('\n')).toEqual([0, null])
  expect(performance.now() - asked).toBeLessThan(2000)
  const log = await readFile(join(dir, 'logs', 'receiver.log'), 'utf8')
  expect(log).toContain('"event":"stopped"')
})

test('Ctrl-C in the middle of a recording ends npm start with exit code 0', async () => {
  const run = start('npm', ['start', '--', '--dir', dir, '--seconds', '600'])
  await untilLine(run, /^✓ 3 /)
  const asked = performance.now()
  process.kill(-run.pid, 'SIGINT')
  expect(await run.ended, run.said.join('\n')).toEqual([0, null])
  expect(performance.now() - asked).toBeLessThan(2000)
})

test('a step that fails is named with the last words of its program', async () => {
  await mkdir(join(dir, 'receiver', 'index.jsonl'), { recursive: true })
  const run = demo('--once', '--seconds', '1')
  const [code] = await run.ended
  const text = run.said.join('\n')
  expect(code, text).toBe(1)
  expect(text).toMatch(/✗ receiver ended with 3\n {2}\| .*index\.jsonl/)
})

test('--clean leaves nothing behind', async () => {
  const run = demo('--seconds', '600', '--clean')
  await untilLine(run, /^✓ 3 /)
  process.kill(-run.pid, 'SIGINT')
  expect(await run.ended, run.said.join('\n')).toEqual([0, null])
  expect(run.said.at(-1)).toBe(`${dir} is removed`)
  expect((await readdir(tmpdir())).map((name) => join(tmpdir(), name))).not.toContain(dir)
})
