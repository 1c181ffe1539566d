/** What a daemon writes under systemd: priorities, lines to paste, and errors with an identity for `journalctl -x`. */
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { catalogue, catalogueFile } from '@cis490/shared/catalogue.ts'
import { describe, expect, test } from 'vitest'
import { read, repositoryFiles, root } from '../../../docs/documents.ts'
import { eventually } from '../../../support/receiver.ts'
import { scratchDir } from '../../../support/scratch.ts'

const teller = fileURLToPath(new URL('../../../../packages/agent/src/commands/tell.ts', import.meta.url))
const file = 'etc/journal/cis490.catalog'

interface Said {
  readonly lines: string[]
  readonly stderr: string
}

/** A program that is refused `times` times, as the agent tells it. @param logger what stands for it; undefined: there is none. @param journal is its output the journal's? */
async function refused(dir: string, times: number, logger: string | undefined, journal = true): Promise<Said> {
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
  const PATH = join(dir, 'bin')
  mkdirSync(PATH)
  if (logger !== undefined) writeFileSync(join(PATH, 'logger'), logger, { mode: 0o755 })
  for (const tool of ['sleep', 'cat'])
    writeFileSync(join(PATH, tool), `#!/bin/sh\nPATH=/usr/bin:/bin exec ${tool} "$@"\n`, { mode: 0o755 })
  copyShell(PATH)
  const stdout = openSync(join(dir, 'stdout'), 'w')
  const { dev, ino } = fstatSync(stdout, { bigint: true })
  const env = { PATH, JOURNAL_STREAM: journal ? `${dev}:${ino}` : '8:1' }
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', stdout, 'pipe'], timeout: 20_000 })
  const stderr = await text(child.stderr as Readable)
  closeSync(stdout)
  return { lines: readFileSync(join(dir, 'stdout'), 'utf8').trim().split('\n'), stderr }
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
    const { lines } = await refused(
      dir,
      1,
      `#!/bin/sh\necho "$@" > ${told}.tmp\ncat >> ${told}.tmp\n/bin/mv ${told}.tmp ${told}\n`,
    )
    expect(lines).toEqual(expectedLines)
    const fields = await eventually(
      async () => (existsSync(told) ? readFileSync(told, 'utf8') : ''),
      (seen) => seen !== '',
    )
    expect(fields.trim().split('\n')).toEqual([
      '--journald',
      `MESSAGE_ID=${catalogue[0]?.id}`,
      'PRIORITY=3',
      'SYSLOG_IDENTIFIER=cis490',
      'MESSAGE=the receiver refuses; a person must act; code=commit-denied; detail=no[2JFORGED=1',
    ])
  })

  test('a system without logger loses no line', async () => {
    expect(await refused(scratchDir(), 1, undefined)).toEqual({ lines: expectedLines, stderr: '' })
  })

  test('a shell that inherited the variable of another service is told as any other, and nothing goes to the journal', async () => {
    const dir = scratchDir()
    const { lines } = await refused(dir, 1, `#!/bin/sh\necho x > ${join(dir, 'told')}\n`, false)
    expect(lines).toEqual(expectedLines.map((line) => (typeof line === 'string' ? line.slice(3) : expect.stringMatching(/^\{/))))
    expect(existsSync(join(dir, 'told'))).toBe(false)
  })

  test('one that hangs holds nothing up, and there are never many', async () => {
    const dir = scratchDir()
    const hung = join(dir, 'hung')
    const { lines } = await refused(dir, 50, `#!/bin/sh\necho x >> ${hung}\nsleep 5\necho ended >> ${hung}\n`)
    const told = () => (existsSync(hung) ? readFileSync(hung, 'utf8') : '')
    expect(told()).not.toContain('ended')
    expect(lines.filter((line) => line.includes('commit-denied'))).toHaveLength(50)
    const all = await eventually(
      async () => told(),
      (seen) => seen.length >= 8,
    )
    expect(all).toBe('x\n'.repeat(4))
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
