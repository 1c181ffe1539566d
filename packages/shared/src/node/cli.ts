/** What the three programs share: global options, exit codes, and one readable line for a user's mistake. */
import { Command, CommanderError } from 'commander'
import { printableLines } from '../printable.ts'
import { ConfigError } from './config-file.ts'
import { messageOf } from './errno.ts'
import { explainErrno } from './errno-text.ts'
import { isJournal } from './journal-stream.ts'

export const exit = { clean: 0, findings: 1, usage: 2, undetermined: 3, config: 78 } as const

/** A failure that the user can mend, ready to print. */
export class UserError extends Error {
  override readonly name = 'UserError'
  readonly exitCode: number
  constructor(message: string, exitCode: number = exit.undetermined) {
    super(message)
    this.exitCode = exitCode
  }
}

export interface CommonOptions {
  readonly config: string
  readonly json?: true
}

/** A subcommand with the options that every command has. The action returns the exit code. */
export function addCommand(program: Command, usage: string, summary: string, defaultConfig: string): Command {
  return program
    .command(usage)
    .description(summary)
    .option('--config <file>', 'configuration file', defaultConfig)
    .option('--json', 'print one JSON document on stdout and nothing else')
}

export function makeProgram(name: string, description: string, version: string): Command {
  return new Command(name).description(description).version(version).showSuggestionAfterError().exitOverride()
}

/** What a command's module gives: it adds the command, or commands, to the program. */
export type Register = (program: Command) => void

/** Each command's name with what loads its module. */
export type CommandTable = Readonly<Record<string, () => Promise<Register>>>

/**
 * Loads the command that is asked for, for loading everything takes longer than most commands; without one, for the help, all of them.
 * @param argv as Node gives it
 */
export async function addCommands(program: Command, table: CommandTable, argv: readonly string[] = []): Promise<Command> {
  const asked = argv[2] !== undefined && Object.hasOwn(table, argv[2]) ? table[argv[2]] : undefined
  for (const load of asked ? [asked] : new Set(Object.values(table))) (await load())(program)
  return program
}

/** Parses argv, runs the command, sets the exit code; the only place that turns a fault into one. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  for (const command of program.commands) command.exitOverride()
  try {
    await program.parseAsync(argv)
  } catch (error) {
    const code = report(program.name(), error)
    process.exitCode = code
    // A document that was begun is not followed by another.
    if (code !== exit.clean && argv.includes('--json') && !outputBegun) printJson({ error: shown(error), exit_code: code })
  }
}

let outputBegun = false

/** Told by whoever writes its document to stdout by itself. */
export function beginOutput(): void {
  outputBegun = true
}

function report(name: string, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exit.clean : exit.usage
  if (error instanceof ConfigError) {
    complain(`${name}: bad configuration\n${shown(error)}`)
    return exit.config
  }
  complain(`${name}: ${shown(error)}`)
  if (error instanceof UserError) return error.exitCode
  if (process.env['CIS490_DEBUG'] && error instanceof Error) complain(error.stack ?? '')
  return exit.undetermined
}

/** In the journal each line is an error, or who asks for errors alone would not see why a unit failed. */
function complain(text: string): void {
  const priority = isJournal(process.stderr) ? '<3>' : ''
  for (const line of text.split('\n')) process.stderr.write(`${priority}${line}\n`)
}

/** A message may quote what came from outside. */
function shown(error: unknown): string {
  return printableLines(explainErrno(error) ?? messageOf(error)).join('\n')
}

/** One JSON document on stdout. */
export function printJson(value: unknown): void {
  beginOutput()
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
