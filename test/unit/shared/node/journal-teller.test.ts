/** What a daemon writes under systemd: priorities, lines to paste, and errors with an identity for `journalctl -x`. */
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { catalogue, catalogueFile } from '@cis490/shared/catalogue.ts'
import { describe, expect, test } from 'vitest'
import { read, repositoryFiles, root } from '../../../docs/documents.ts'
import { eventually } from '../../../support/receiver.ts'
import { scratchDir } from '../../../support/scratch.ts'

const run = promisify(execFile)
const teller = fileURLToPath(new URL('../../../../packages/agent/src/commands/tell.ts', import.meta.url))
const file = 'etc/journal/cis490.catalog'

/** A program that is refused `times` times, as the agent tells it. @param logger what stands for it; undefined: there is none */
function refused(dir: string, times: number, logger: string | undefined) {
  const script = join(dir, 'program.ts')
  writeFileSync(
    script,
    `import { Teller } from ${JSON.stringify(teller)}
     import { makeLogger } from ${JSON.stringify(fileURLToPath(import.meta.resolve('@cis490/shared/node/log.ts')))}
     const log = makeLogger(process.stdout)
     log.info({ event: 'up' }, 'agent is up')
     log.warn('hm')
     log.error({ event: 'odd' }, 'no entry of the catalogue')
     for (let k = 0; k < ${times}; k++)
       new Teller(log, process.stdout, Date.now).tell({ code: 'commit-denied', detail: 'no\\u001b[2J\\nFORGED=1', remediation: 'cd /opt\\nsudo it' })`,
  )
  const bin = join(dir, 'bin')
  mkdirSync(bin)
  if (logger !== undefined) writeFileSync(join(bin, 'logger'), logger, { mode: 0o755 })
  for (const tool of ['sleep', 'cat'])
    writeFileSync(join(bin, tool), `#!/bin/sh\nexec ${existsSync(`/usr/bin/${tool}`) ? '/usr/bin' : '/bin'}/${tool} "$@"\n`, {
      mode: 0o755,
    })
  copyShell(bin)
  const env = { PATH: [bin].join(delimiter), JOURNAL_STREAM: '8:1' }
  return run(process.execPath, [script], { env, timeout: 20_000 })
}

/** The shell alone: nothing else of the system is found. */
function copyShell(bin: string): void {
  copyFileSync('/bin/sh', join(bin, 'sh'))
}

const expectedLines = [
  expect.stringMatching(/^<6>\{"level":"info".*"msg":"agent is up"\}$/),
  expect.stringMatching(/^<4>\{"level":"warn"/),
  expect.stringMatching(/^<3>\{"level":"error".*no entry/),
  expect.stringMatching(/^<3>\{"level":"error".*"code":"commit-denied"/),
  '<3>cd /opt',
  '<3>sudo it',
]

describe('under systemd', () => {
  test('each line has its priority, lines to paste are bare, and an error of the catalogue reaches the journal with its identity', async () => {
    const dir = scratchDir()
    const told = join(dir, 'told')
    const { stdout } = await refused(
      dir,
      1,
      `#!/bin/sh\necho "$@" > ${told}.tmp\ncat >> ${told}.tmp\n/bin/mv ${told}.tmp ${told}\n`,
    )
    expect(stdout.trim().split('\n')).toEqual(expectedLines)
    const text = await eventually(
      async () => (existsSync(told) ? readFileSync(told, 'utf8') : ''),
      (seen) => seen !== '',
    )
    expect(text.trim().split('\n')).toEqual([
      '--journald',
      `MESSAGE_ID=${catalogue[0]?.id}`,
      'PRIORITY=3',
      'SYSLOG_IDENTIFIER=cis490',
      'MESSAGE=the receiver refuses; a person must act; code=commit-denied; detail=no[2JFORGED=1',
    ])
  })

  test('a system without logger loses no line', async () => {
    const { stdout, stderr } = await refused(scratchDir(), 1, undefined)
    expect([stdout.trim().split('\n'), stderr]).toEqual([expectedLines, ''])
  })

  test('one that hangs holds nothing up, and there are never many', async () => {
    const dir = scratchDir()
    const began = performance.now()
    const { stdout } = await refused(dir, 50, `#!/bin/sh\necho x >> ${join(dir, 'hung')}\nexec sleep 3\n`)
    expect(performance.now() - began).toBeLessThan(2900)
    expect(stdout.match(/commit-denied/g)).toHaveLength(50)
    const hung = await eventually(
      async () => (existsSync(join(dir, 'hung')) ? readFileSync(join(dir, 'hung'), 'utf8') : ''),
      (seen) => seen.length >= 8,
    )
    expect(hung.split('x')).toHaveLength(5)
  })
})

describe('the catalogue', () => {
  test('every identity is there once, and every message is one that a program logs', () => {
    expect(new Set(catalogue.map(({ id }) => id)).size).toBe(catalogue.length)
    for (const { id } of catalogue) expect(id).toMatch(/^[0-9a-f]{32}$/)
    const sources = repositoryFiles().filter((path) => /^packages\/(agent|receiver|fleet)\/src\/.*\.ts$/.test(path))
    const logging = sources.map((path) => read(path)).filter((text) => /\.error\(/.test(text))
    const unused = catalogue.filter(({ message }) => !logging.some((text) => text.includes(`'${message}'`)))
    expect(unused.map(({ message }) => message)).toEqual([])
  })

  test('the file is made from the table: npm run catalogue', () => {
    expect(read(file)).toBe(catalogueFile())
  })

  const journalctl = existsSync('/usr/bin/journalctl') || existsSync('/bin/journalctl')
  test.skipIf(!journalctl)('journalctl reads all of it', () => {
    const dir = scratchDir()
    mkdirSync(join(dir, 'usr/lib/systemd/catalog'), { recursive: true })
    mkdirSync(join(dir, 'var/lib/systemd/catalog'), { recursive: true })
    copyFileSync(join(root, file), join(dir, 'usr/lib/systemd/catalog/cis490.catalog'))
    const ask = (...args: string[]) => execFileSync('journalctl', [`--root=${dir}`, ...args], { encoding: 'utf8', stdio: 'pipe' })
    ask('--update-catalog')
    const listed = ask('--list-catalog').trim().split('\n').toSorted()
    expect(listed).toEqual(catalogue.map(({ id, subject }) => `${id} cis490: ${subject}`).toSorted())
    expect(ask('--dump-catalog', catalogue[0]?.id ?? '')).toContain('    cis490-agent doctor\n')
  })
})
