/** What `cis490-fleet` can do: every command, with the module that brings it. */
import { addCommands, type CommandTable, makeProgram } from '@cis490/shared/node/cli.ts'
import { version } from '@cis490/shared/node/version.ts'
import type { Command } from 'commander'

const commands: CommandTable = {
  evaluate: async () => (await import('./commands/evaluate.ts')).registerEvaluate,
  'check-config': async () => (await import('./commands/check-config.ts')).registerCheckConfig,
}

/** @param argv as Node gives it; without it every command is there */
export function loadProgram(argv?: readonly string[]): Promise<Command> {
  return addCommands(makeProgram('cis490-fleet', 'Reads what the receiver wrote and judges the fleet.', version), commands, argv)
}
