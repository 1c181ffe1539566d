/** What `cis490-fleet` can do: every command, registered once. */
import { build } from '@cis490/shared/node/build.ts'
import { addCommand, makeProgram } from '@cis490/shared/node/cli.ts'
import { checkConfigCommand } from './commands/check-config.ts'
import { type EvaluateCommand, evaluateCommand } from './commands/evaluate.ts'
import { defaultConfigFile } from './config.ts'

export const program = makeProgram('cis490-fleet', 'Reads what the receiver wrote and judges the fleet.', build.version)

addCommand(program, 'evaluate', 'judge every host once and write the alerts that are due', defaultConfigFile)
  .option('--at <time>', 'judge for this moment (RFC 3339) instead of now')
  .action(async (options: EvaluateCommand) => {
    process.exitCode = await evaluateCommand(options)
  })

addCommand(program, 'check-config', 'print the effective configuration', defaultConfigFile).action(
  (options: { config: string; json?: true }) => {
    process.exitCode = checkConfigCommand(options)
  },
)
