/** The program `cis490-agent`: argv in, exit code out. */
import { runProgram } from '@cis490/shared/node/cli.ts'
import { program } from './program.ts'

await runProgram(program, process.argv)
