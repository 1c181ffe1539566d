import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exit } from '@cis490/shared/node/cli.ts'
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { generatedFiles } from '../../../scripts/manual/files.ts'
import { manPage } from '../../../scripts/manual/man-page.ts'
import { programFacts } from '../../../scripts/manual/operations.ts'
import { inline, plain } from '../../../scripts/manual/roff.ts'
import { tableOf } from '../../../scripts/manual/table.ts'
import { scratchDir } from '../../support/scratch.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const operations = readFileSync(`${root}/OPERATIONS.md`, 'utf8')
const files = await generatedFiles()
const pages = files.filter(({ path }) => path.endsWith('.1'))

function present(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined
}

/** What a person reads, in lines as long as they come. */
function rendered(path: string): string {
  const env = { ...process.env, MANWIDTH: '2000', LC_ALL: 'C.UTF-8' }
  const text = execFileSync('man', ['-l', '-P', 'cat', path], { encoding: 'utf8', env })
  return text.replaceAll('‐', '-')
}

describe.each(pages)('$path', ({ path, text }) => {
  const name = /cis490-\w+/.exec(path)?.[0] as string
  const facts = programFacts(operations, name.replace('cis490-', ''))
  const dir = () => {
    const file = join(scratchDir(), 'page.1')
    writeFileSync(file, text)
    return file
  }

  test.skipIf(!present('groff'))('groff has no complaint', () => {
    const { stderr, status } = spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8', dir()], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
  })

  test.skipIf(!present('mandoc'))('mandoc has no complaint, but that a page has no date', () => {
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', dir()], { encoding: 'utf8' })
    expect(stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date'))).toEqual([])
  })

  test.skipIf(!present('man'))('has every command with its exit codes, every key, every file and every exit code', () => {
    const page = rendered(dir())
    for (const [command, { exitCodes }] of facts.commands) {
      expect(page).toMatch(new RegExp(`^ {3}${command}( |$)`, 'm'))
      if (!exitCodes.includes('`') && !exitCodes.includes('[')) expect(page).toContain(`Exit status: ${exitCodes}.`)
    }
    for (const [key] of facts.keys) expect(page).toContain(`       ${key.replaceAll('`', '')} (`)
    for (const [file] of facts.files) expect(page).toContain(`       ${file.replaceAll('`', '')}\n`)
    for (const code of Object.values(exit)) expect(page).toMatch(new RegExp(`^ {7}${code} +\\w`, 'm'))
    for (const other of pages) if (other.path !== path) expect(page).toContain(`${/cis490-\w+/.exec(other.path)?.[0]}(1)`)
    expect(facts.commands.size).toBeGreaterThan(0)
    expect(facts.files.length).toBeGreaterThan(0)
  })
})

test('a text that looks like a command to roff is a text', () => {
  expect(plain(".so /etc/shadow\n'br\nC:\\dir")).toBe("\\&.so /etc/shadow\n\\&'br\nC:\\edir")
  expect(plain('µ→')).toBe('\\[u00B5]\\[u2192]')
})

test('links, code and stress of the documents', () => {
  expect(inline('see [the way](#way) of `a-b` ([how](#how)), *never* **two**')).toBe(
    'see the way of \\fBa\\-b\\fR, \\fInever\\fR \\fBtwo\\fR',
  )
})

test('what a program adds is in its page: option, choices, default, argument and note', () => {
  const program = new Command('cis490-new').description('Does something')
  const command = program
    .command('go <dir> [archive...]')
    .description('go there')
    .option('--speed <rate>', 'how fast', '4KiB')
    .option('--by <ways>', 'how', [])
  command
    .addOption(command.createOption('--way <kind>', 'which').choices(['left', 'right']))
    .addHelpText('after', '\ndir: where to')
  const facts = programFacts(operations, 'fleet')
  const page = manPage({
    name: 'cis490-new',
    version: '1',
    table: tableOf(program),
    facts: { ...facts, commands: new Map() },
    others: [],
  })
  for (const part of [
    '\\fBgo\\fR \\fIdir\\fR [\\fIarchive\\fR ...]\nGo there.',
    '\\fB\\-\\-speed\\fR \\fIrate\\fR\nHow fast. Default: \\fB4KiB\\fR.',
    '\\fB\\-\\-way\\fR \\fIkind\\fR\nWhich. (\\fBleft\\fR, \\fBright\\fR)',
    '\\fB\\-\\-by\\fR \\fIways\\fR\nHow.\n',
    'dir: where to',
  ])
    expect(page).toContain(part)
})

describe('npm run man', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [`${root}/scripts/manual/main.ts`, ...args], { encoding: 'utf8' })

  test('writes what everybody may read, in place of what is there, names it, and takes it away', () => {
    const dir = scratchDir()
    mkdirSync(join(dir, 'share/man/man8'), { recursive: true })
    mkdirSync(join(dir, 'share/bash-completion/completions'), { recursive: true })
    writeFileSync(join(dir, 'share/bash-completion/completions/cis490-agent'), 'old', { mode: 0o600 })
    const umask = process.umask(0o077)
    const { stdout } = run(`${dir}/share`)
    process.umask(umask)
    expect(stdout.split('\n').slice(0, -1)).toEqual(files.map(({ path }) => join(dir, 'share', path)))
    for (const { path, text } of files) {
      expect(readFileSync(join(dir, 'share', path), 'utf8')).toBe(text)
      expect(statSync(join(dir, 'share', path)).mode & 0o777).toBe(0o644)
    }
    for (const folder of ['man/man1', 'zsh', 'zsh/site-functions'])
      expect(statSync(join(dir, 'share', folder)).mode & 0o777).toBe(0o755)

    expect(run(`${dir}/share`, '--remove').status).toBe(0)
    expect(files.filter(({ path }) => existsSync(join(dir, 'share', path)))).toEqual([])
    expect(readdirSync(join(dir, 'share/man')).toSorted()).toEqual(['man1', 'man8'])
  })

  test('a mistake is one line and writes nothing', () => {
    expect(run()).toMatchObject({ status: exit.usage, stderr: expect.stringMatching(/^man: name one folder\n/) })
    expect(run('--delete', 'x')).toMatchObject({
      status: exit.usage,
      stderr: expect.stringMatching(/^man: Unknown option '--delete'/),
    })
    const file = join(scratchDir(), 'file')
    writeFileSync(file, '')
    expect(run(file)).toMatchObject({ status: exit.undetermined, stderr: expect.stringMatching(/^man: [^\n]*\/file[^\n]*\n$/) })
  })
})
