/** The command table of a program as plain data: what the manual and the completions are made of. */
import type { Argument, Command, Option } from 'commander'

export interface Value {
  readonly name: string
  readonly completes: 'files' | 'folders' | 'nothing'
  readonly choices: readonly string[]
  readonly optional: boolean
  readonly variadic: boolean
}

export interface OptionEntry {
  /** The short one first, where there is one. */
  readonly names: readonly string[]
  readonly text: string
  /** A switch has none. */
  readonly value: Value | undefined
  readonly byDefault: string | undefined
}

export interface CommandEntry {
  /** Empty for the program itself, `['outbox', 'list']` for a command of a command. */
  readonly path: readonly string[]
  readonly text: string
  readonly arguments: readonly Value[]
  readonly options: readonly OptionEntry[]
  readonly commands: readonly CommandEntry[]
  /** What the help says besides what is here. */
  readonly notes: string
}

/** Names of placeholders tell what can be completed. */
const kinds: Readonly<Record<string, Value['completes']>> = { file: 'files', receipt: 'files', archive: 'files', dir: 'folders' }

/** @param program with every command */
export function tableOf(program: Command): CommandEntry {
  return entryOf(program, [])
}

function entryOf(command: Command, path: readonly string[]): CommandEntry {
  const help = command.createHelp()
  const below = command.commands.map((one) => one.name())
  const commands = help.visibleCommands(command).map((one) => {
    const entry = entryOf(one, [...path, one.name()])
    // The help command is commander's own, and does not know that its argument is a command.
    return command.commands.includes(one)
      ? entry
      : { ...entry, arguments: entry.arguments.map((value) => ({ ...value, choices: below })) }
  })
  return {
    path,
    text: command.description(),
    arguments: command.registeredArguments.map(argumentOf),
    options: help.visibleOptions(command).map(optionOf),
    commands,
    notes: notesOf(command),
  }
}

function argumentOf(argument: Argument): Value {
  return makeValue(argument.name(), argument.argChoices, !argument.required, argument.variadic)
}

function optionOf(option: Option): OptionEntry {
  const name = /[<[]([^>\].]+)/.exec(option.flags)?.[1]
  return {
    names: [option.short, option.long].filter((one) => one !== undefined),
    text: option.description,
    value: name === undefined ? undefined : makeValue(name, option.argChoices, option.optional, option.variadic),
    byDefault: defaultText(option.defaultValue),
  }
}

/** An empty list is as good as none. */
function defaultText(value: unknown): string | undefined {
  const text = Array.isArray(value) ? value.join(',') : String(value ?? '')
  return text === '' ? undefined : text
}

function makeValue(name: string, choices: readonly string[] = [], optional: boolean, variadic: boolean): Value {
  return { name, completes: kinds[name] ?? 'nothing', choices, optional, variadic }
}

/** Texts around the help are listeners in commander: they can only be had by letting it print. */
function notesOf(command: Command): string {
  let printed = ''
  command.configureOutput({ writeOut: (text) => (printed += text) }).outputHelp()
  return printed.replace(command.helpInformation(), '').trim()
}

/** The program's own commands and those below them; not what only groups others, and not the help. */
export function leaves(entry: CommandEntry): CommandEntry[] {
  if (entry.commands.length === 0) return entry.path.at(-1) === 'help' ? [] : [entry]
  return entry.commands.flatMap(leaves)
}

/** The entry and all below it. */
export function everyEntry(entry: CommandEntry): CommandEntry[] {
  return [entry, ...entry.commands.flatMap(everyEntry)]
}
