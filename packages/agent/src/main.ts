/** The program `cis490-agent`. */
import { build } from '@cis490/shared/node/build.ts'
import { makeProgram, runProgram } from '@cis490/shared/node/cli.ts'
import { registerCheckConfig } from './commands/check-config.ts'
import { registerOutbox } from './commands/outbox.ts'
import { registerScan } from './commands/scan.ts'

const program = makeProgram('cis490-agent', 'Packs finished episodes of this host and ships them to the receiver', build.version)
registerScan(program)
registerOutbox(program)
registerCheckConfig(program)
await runProgram(program, process.argv)
