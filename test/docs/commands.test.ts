import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { loadProgram as agent } from '../../packages/agent/src/program.ts'
import { loadProgram as fleet } from '../../packages/fleet/src/program.ts'
import { loadProgram as receiver } from '../../packages/receiver/src/program.ts'
import { codeWords, read, repositoryFiles, section, tableRows } from './documents.ts'

const programs = { agent: await agent(), receiver: await receiver(), fleet: await fleet() }

test.each(Object.entries({ agent, receiver, fleet }))('cis490-%s loads a command that is asked for alone', async (name, load) => {
  for (const command of commandsOf(programs[name as keyof typeof programs]))
    expect(commandsOf(await load(['node', 'main.ts', command]))).toContain(command)
})

function commandsOf(program: Command): string[] {
  return program.commands.map((command) => command.name())
}

/** `outbox list` is a command, `outbox` alone is none. */
function allCommands(program: Command, ...above: string[]): string[] {
  return program.commands.flatMap((command) => {
    const path = [...above, command.name()]
    return command.commands.length > 0 ? allCommands(command, ...path) : [path.join(' ')]
  })
}

const pages = repositoryFiles().filter(
  (file) => (file.endsWith('.md') || file.startsWith('etc/')) && !file.startsWith('changelog/'),
)

describe.each(Object.entries(programs))('cis490-%s', (name, program) => {
  test('OPERATIONS.md lists its commands, all and no others', () => {
    const rows = tableRows(section(read('OPERATIONS.md'), '## Commands'), 'command')
    const documented = rows.flatMap((cells) => codeWords(cells[0] ?? '')).filter((words) => words.startsWith(`cis490-${name} `))
    const names = documented.map((words) =>
      words
        .split(' ')
        .slice(1)
        .filter((word) => /^[a-z]/.test(word))
        .join(' '),
    )
    const existing = allCommands(program)
    expect([...names, 'check-config'].toSorted()).toEqual(existing.toSorted())
  })

  test('every command that a document, a unit or an example names exists', () => {
    const existing = commandsOf(program)
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(new RegExp(`\\bcis490-${name} ([a-z][a-z-]+)`, 'g'))].map((match) => `${page}: ${match[1]}`),
    )
    expect(named.filter((name) => !existing.includes(name.slice(name.indexOf(': ') + 2)))).toEqual([])
  })
})
