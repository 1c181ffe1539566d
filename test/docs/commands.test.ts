import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { codeWords, read, repositoryFiles, root, section, tableRows } from './documents.ts'

const run = promisify(execFile)

/** Names under "Commands:" of a help text, without `help` itself. */
async function commandsOf(program: string, ...below: string[]): Promise<string[]> {
  const { stdout } = await run(`${root}/packages/${program}/bin/cis490-${program}`, [...below, '--help'])
  const listed = stdout.split('\nCommands:\n')[1] ?? ''
  const names = [...listed.matchAll(/^ {2}([a-z][\w-]*)/gm)].map((match) => match[1] as string)
  return names.filter((name) => name !== 'help').map((name) => [...below, name].join(' '))
}

/** `outbox list` is a command, `outbox` alone is none. */
async function allCommands(program: string): Promise<string[]> {
  const names = await commandsOf(program)
  const nested = await Promise.all(names.map(async (name) => ({ name, inner: await commandsOf(program, name) })))
  return nested.flatMap(({ name, inner }) => (inner.length > 0 ? inner : [name]))
}

const pages = repositoryFiles().filter(
  (file) => (file.endsWith('.md') || file.startsWith('etc/')) && !file.startsWith('changelog/'),
)

describe.each(['agent', 'receiver', 'fleet'])('cis490-%s', (program) => {
  test('OPERATIONS.md lists its commands, all and no others', async () => {
    const rows = tableRows(section(read('OPERATIONS.md'), '## Commands'), 'command')
    const documented = rows
      .flatMap((cells) => codeWords(cells[0] ?? ''))
      .filter((words) => words.startsWith(`cis490-${program} `))
    const names = documented.map((words) =>
      words
        .split(' ')
        .slice(1)
        .filter((word) => /^[a-z]/.test(word))
        .join(' '),
    )
    const existing = await allCommands(program)
    expect([...names, 'check-config'].toSorted()).toEqual(existing.toSorted())
  })

  test('every command that a document, a unit or an example names exists', async () => {
    const existing = await commandsOf(program)
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(new RegExp(`\\bcis490-${program} ([a-z][a-z-]+)`, 'g'))].map((match) => `${page}: ${match[1]}`),
    )
    expect(named.filter((name) => !existing.includes(name.slice(name.indexOf(': ') + 2)))).toEqual([])
  })
})
