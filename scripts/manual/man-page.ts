/** The manual page of a program. */
import { exit } from '@cis490/shared/node/cli.ts'
import type { ProgramFacts } from './operations.ts'
import { bold, inline, italic, item, plain, sentence } from './roff.ts'
import { type CommandEntry, leaves, type OptionEntry, type Value } from './table.ts'

export interface Program {
  readonly name: string
  readonly version: string
  readonly table: CommandEntry
  readonly facts: ProgramFacts
  /** The other programs. */
  readonly others: readonly string[]
}

const exitTexts: Readonly<Record<keyof typeof exit, string>> = {
  clean: 'it was done, and there is nothing to say against it',
  findings: 'findings: something is wrong with what was looked at',
  usage: 'the command line is wrong; nothing was done',
  undetermined: 'it could not be determined, or cannot be done now',
  config: 'the configuration is bad; each mistake is a line with its place in the file',
}

/** In the source form of man(7). */
export function manPage(program: Program): string {
  const commands = leaves(program.table)
  const common = commonOptions(commands)
  return `${[
    `.\\" Made from the command table of ${program.name} and OPERATIONS.md; do not edit.`,
    `.TH ${plain(program.name.toUpperCase())} 1 "" "cis490 ${program.version}" "cis490"`,
    '.SH NAME',
    `${plain(program.name)} \\- ${plain(program.table.text.replace(/^[A-Z]/, (letter) => letter.toLowerCase()).replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `${bold(program.name)} ${italic('command')} [${italic('option')} ...] [${italic('argument')} ...]`,
    '.SH COMMANDS',
    ...commands.map((command) => commandText(program, command, common)),
    '.SH OPTIONS',
    'Every command knows these:',
    ...common.map(optionText),
    '.PP',
    'Without a command:',
    ...program.table.options.filter((option) => !common.some((one) => same(one, option))).map(optionText),
    '.SH EXIT STATUS',
    ...Object.entries(exit).map(([name, code]) => item(bold(`${code}`), plain(sentence(exitTexts[name as keyof typeof exit])))),
    item(bold('130'), 'Ended at once by a second Ctrl\\-C.'),
    '.SH CONFIGURATION',
    `A file in TOML. Tables are written with a dot here: the key ${bold('a.b')} is ${bold('b')} below ${bold('[a]')}.`,
    ...program.facts.keys.map(keyText),
    '.SH ENVIRONMENT',
    item(bold('CIS490_NODE'), 'Path of the Node (24 or newer) to run on, instead of the one in the checkout.'),
    item(bold('CIS490_DEBUG'), 'If set, a fault is printed with its stack.'),
    '.SH FILES',
    ...configFile(common).map((path) => item(bold(path), 'The configuration, unless another is named.')),
    ...program.facts.files.map(([file, what]) => item(inline(file), inline(sentence(what)))),
    '.SH SEE ALSO',
    [...program.others.map((name) => `${bold(name)}(1)`), `${bold('systemctl')}(1)`, `${bold('journalctl')}(1)`].join(',\n'),
    '.PP',
    `${italic('OPERATIONS.md')} of the checkout has more on every part.`,
  ].join('\n')}\n`
}

/** Which options each command has, in the same words. */
function commonOptions(commands: readonly CommandEntry[]): OptionEntry[] {
  const [first, ...others] = commands
  return (first?.options ?? []).filter((option) => others.every((command) => command.options.some((one) => same(one, option))))
}

function same(one: OptionEntry, other: OptionEntry): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function configFile(common: readonly OptionEntry[]): string[] {
  return common.flatMap(({ names, byDefault }) => (names.includes('--config') && byDefault !== undefined ? [byDefault] : []))
}

function commandText(program: Program, command: CommandEntry, common: readonly OptionEntry[]): string {
  const name = command.path.join(' ')
  const documented = program.facts.commands.get(name)
  const own = command.options.filter((option) => !common.some((one) => same(one, option)))
  return [
    '.SS',
    [bold(name), ...command.arguments.map(argumentText)].join(' '),
    inline(sentence(documented?.does ?? command.text)),
    ...own.map(optionText),
    ...(command.notes === '' ? [] : ['.PP', plain(command.notes).replaceAll('\n', '\n.br\n')]),
    ...(documented === undefined ? [] : ['.PP', inline(`Exit status: ${documented.exitCodes}.`)]),
  ].join('\n')
}

function argumentText(value: Value): string {
  const name = `${italic(value.name)}${value.variadic ? ' ...' : ''}`
  return value.optional ? `[${name}]` : name
}

function optionText(option: OptionEntry): string {
  const { value } = option
  const names = option.names.map(bold).join(', ')
  const choices = value?.choices.length ? ` (${value.choices.map(bold).join(', ')})` : ''
  const byDefault = option.byDefault === undefined ? '' : ` Default: ${bold(option.byDefault)}.`
  return item(value ? `${names} ${argumentText(value)}` : names, `${plain(sentence(option.text))}${choices}${byDefault}`)
}

function keyText([key, byDefault, meaning]: ProgramFacts['keys'][number]): string {
  return item(
    `${inline(key)} (${byDefault.startsWith('`') ? `default ${inline(byDefault)}` : inline(byDefault)})`,
    inline(sentence(meaning)),
  )
}
