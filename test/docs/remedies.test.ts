/** Whatever a program tells a person to do can be done: the commands, options, units and scripts that its texts name are there. */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { loadProgram as agent } from '../../packages/agent/src/program.ts'
import { loadProgram as fleet } from '../../packages/fleet/src/program.ts'
import { loadProgram as receiver } from '../../packages/receiver/src/program.ts'
import { read, repositoryFiles, root } from './documents.ts'

const programs: Record<string, Command> = { agent: await agent(), receiver: await receiver(), fleet: await fleet() }
const sources = repositoryFiles().filter((file) => /^packages\/\w+\/src\/.*\.ts$|^etc\/.*\.(?:example|catalog)$/.test(file))

/** Words behind the name of a program that are none of its commands: it is spoken of. */
const prose = new Set(['first', 'running', 'works'])

/** What is wrong with `cis490-agent outbox drop ID --reason TEXT`; undefined: nothing. @param words behind the program's name */
function whyImpossible(program: Command, words: string): string | undefined {
  let command = program
  for (const word of words.split(' ')) {
    if (command !== program && command.commands.length === 0) break
    // `list|show` names several.
    for (const one of word.split('|'))
      if (!command.commands.some((known) => known.name() === one)) return `${command.name()} has no command "${one}"`
    command = command.commands.find((known) => known.name() === word.split('|')[0]) as Command
  }
  const missing = [...words.matchAll(/(?<=\s)--[a-z][a-z-]*/g)].find(
    ([option]) => !['--help', '--version'].includes(option) && !command.options.some(({ long }) => long === option),
  )
  return missing && `${command.name()} has no option ${missing[0]}`
}

/** `<file>: <why>` of each command that a text names and that cannot be given. */
function impossible(file: string, text: string): string[] {
  return [...text.matchAll(/(?<!systemctl [\w-]+ |-u )\bcis490-(agent|receiver|fleet) ([a-z][^;,:'"`)(\n\\]*)/g)].flatMap(
    ([, name = '', words = '']) => {
      if (prose.has(words.split(' ')[0] ?? '')) return []
      const why = whyImpossible(programs[name] as Command, words.trim())
      return why === undefined ? [] : [`${file}: cis490-${name} ${words.trim()}: ${why}`]
    },
  )
}

test('commands and their options', () => {
  expect(sources.flatMap((file) => impossible(file, read(file)))).toEqual([])
})

test('what is no command, no subcommand or no option is found', () => {
  const wrong = 'cis490-agent mend; cis490-agent outbox mend ID, cis490-receiver fsck --mend; cis490-agent outbox list --jsn'
  const right = 'systemctl stop cis490-receiver now; is cis490-receiver running; cis490-agent outbox drop ID --reason TEXT'
  expect(impossible('x', `${wrong}; ${right}`).map((found) => found.split(': ').at(-1))).toEqual([
    'cis490-agent has no command "mend"',
    'outbox has no command "mend"',
    'fsck has no option --mend',
    'list has no option --jsn',
  ])
})

test('units of systemd', () => {
  const named = sources.flatMap((file) => [
    ...[...read(file).matchAll(/(?:systemctl [\w-]+(?: --now)?|journalctl -u) (cis490-[a-z-]+(?:\.\w+)?)/g)].map(
      ([, unit]) => unit as string,
    ),
    ...[...read(file).matchAll(/\bcis490-[a-z-]+\.(?:service|timer)\b/g)].map(([unit]) => unit),
  ])
  expect(named.length).toBeGreaterThan(10)
  const missing = new Set(
    named.filter((unit) => !existsSync(`${root}/etc/systemd/${unit.includes('.') ? unit : `${unit}.service`}`)),
  )
  expect([...missing]).toEqual([])
})

test('scripts of the checkout', () => {
  const named = sources.flatMap((file) => [...read(file).matchAll(/\bscripts\/[\w-]+\.sh\b/g)].map(([script]) => script))
  expect(named).toContain('scripts/install-lab-host.sh')
  expect([...new Set(named)].filter((script) => !existsSync(`${root}/${script}`))).toEqual([])
})
