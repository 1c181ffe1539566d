/** The program `cis490-agent`: argv in, exit code out. */
import { runProgram } from '@cis490/shared/node/cli.ts'
import { loadProgram } from './program.ts'

await runProgram(await loadProgram(process.argv), process.argv)
