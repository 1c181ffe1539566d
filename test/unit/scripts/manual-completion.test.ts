import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadProgram as loadAgent } from '../../../packages/agent/src/program.ts'
import { loadProgram as loadFleet } from '../../../packages/fleet/src/program.ts'
import { loadProgram as loadReceiver } from '../../../packages/receiver/src/program.ts'
import { bashCompletion } from '../../../scripts/manual/bash.ts'
import { generatedFiles } from '../../../scripts/manual/files.ts'
import { type CommandEntry, everyEntry, tableOf } from '../../../scripts/manual/table.ts'
import { scratchDir } from '../../support/scratch.ts'
import { type ShellName, TypingShell } from '../../support/typing.ts'

const tables = { agent: tableOf(await loadAgent()), receiver: tableOf(await loadReceiver()), fleet: tableOf(await loadFleet()) }
const files = await generatedFiles()

/** As installed: bash reads a file, zsh finds it by the name of the program. */
const use: Record<ShellName, (share: string) => string> = {
  bash: (share) => `for file in ${share}/bash-completion/completions/*; do . "$file"; done`,
  zsh: (share) => `fpath=(${share}/zsh/site-functions $fpath)`,
}

/** A shell in a folder with something to complete, and without a program of ours: nothing is started to complete. */
async function openShell(name: ShellName): Promise<TypingShell> {
  const share = scratchDir()
  for (const { path, text } of files) {
    mkdirSync(dirname(join(share, path)), { recursive: true })
    writeFileSync(join(share, path), text)
  }
  const dir = scratchDir()
  mkdirSync(join(dir, 'etc of mine'))
  writeFileSync(join(dir, 'lab.toml'), '')
  return await TypingShell.start(name, dir, use[name](share))
}

function namesBelow(entry: CommandEntry): string[] {
  return entry.commands.map((command) => command.path.at(-1) as string)
}

describe.each(['bash', 'zsh'] as const)('%s', (name) => {
  test.skipIf(!TypingShell.present(name))('completes commands, options and their values', async () => {
    await using shell = await openShell(name)
    /** What was put in behind the words that were whole. */
    const added = async (whole: string, begun = '') =>
      (await shell.complete(`${whole} ${begun}`)).slice(whole.split(' ').length).toSorted()

    for (const [short, table] of Object.entries(tables)) {
      expect(await added(`cis490-${short}`)).toEqual(namesBelow(table).toSorted())
      for (const entry of everyEntry(table).filter((one) => one.options.length > 0)) {
        const options = entry.options.flatMap((option) => option.names).toSorted()
        // zsh writes the sign that a value follows.
        const shown = (await added(`cis490-${[short, ...entry.path].join(' ')}`, '-')).map((word) => word.replace(/=$/, ''))
        expect(shown, entry.path.join(' ')).toEqual(options)
      }
    }

    expect(await added('cis490-agent', 'rec')).toEqual(['receipt'])
    expect(await added('cis490-agent outbox')).toEqual(
      namesBelow(tables.agent.commands.find((one) => one.path[0] === 'outbox') as CommandEntry).toSorted(),
    )
    expect(await added('cis490-receiver help', 'ba')).toEqual(['backfill', 'backup'])
    expect(await added('cis490-receiver taint --as')).toEqual(['commit', 'id', 'range'])
    // bash puts the second and the third behind the sign as well.
    const ways = (await added('cis490-receiver taint', '--as=')).map((word) => word.replace('--as=', ''))
    expect(ways.toSorted()).toEqual(['commit', 'id', 'range'])
    expect(await added('cis490-receiver taint', '--as=r')).toEqual(['--as=range'])
  })

  test.skipIf(!TypingShell.present(name))(
    'completes files where a file is meant, folders where a folder is, and else neither',
    async () => {
      await using shell = await openShell(name)
      const both = ['etc of mine', 'lab.toml']
      const added = async (whole: string, begun = '') =>
        (await shell.complete(`${whole} ${begun}`))
          .slice(whole.split(' ').length)
          .map((word) => word.replace(/\/$/, ''))
          .toSorted()

      expect(await added('cis490-agent ship --config')).toEqual(both)
      expect(await added('cis490-agent ship', '--config=l')).toEqual(['--config=lab.toml'])
      expect(await added('cis490-agent ship --config lab.toml', '--fo')).toEqual(['--force'])
      expect(await added('cis490-receiver import --host lab-07')).toEqual(['etc of mine'])
      expect(await added('cis490-agent export', 'etc')).toEqual(['etc of mine'])
      expect(await added('cis490-agent verify lab.toml')).toEqual(both)
      for (const line of ['cis490-agent why', 'cis490-agent outbox release one', 'cis490-agent pause --reason'])
        expect(await added(line), line).toEqual([])
      expect(await added('cis490-agent why some-episode')).toEqual(await added('cis490-agent why some-episode', '-'))
      expect(await added('cis490-agent resume')).toContain('--json')
    },
  )
})

test('a command that is a value of another is no command: a host may be called list', async () => {
  await using shell = await openShell('bash')
  expect(await shell.complete('cis490-receiver explain --host list --j')).toEqual([
    'cis490-receiver',
    'explain',
    '--host',
    'list',
    '--json',
  ])
  expect(await shell.complete('cis490-agent outbox drop -- --reas')).toEqual(['cis490-agent', 'outbox', 'drop', '--', '--reas'])
})

test('a time or a file with a colon is one word, although readline takes it apart', async () => {
  await using shell = await openShell('bash')
  expect(await shell.complete('cis490-agent verify 12:30 la')).toEqual(['cis490-agent', 'verify', '12:30', 'lab.toml'])
  expect(await shell.complete('cis490-receiver import 12:30 --ho')).toEqual(['cis490-receiver', 'import', '12:30', '--host'])
  expect(await shell.complete('cis490-receiver taint --reason 12:30 --as 12:')).toEqual([
    'cis490-receiver',
    'taint',
    '--reason',
    '12:30',
    '--as',
    '12:',
  ])
})

test('a word that bash would expand is refused when the completion is made', () => {
  const evil = { ...tables.fleet, options: [{ names: ['--$(id)'], text: '', value: undefined, byDefault: undefined }] }
  expect(() => bashCompletion('cis490-fleet', evil)).toThrow('--$(id)')
})
