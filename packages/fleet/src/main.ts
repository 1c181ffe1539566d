/** The program `cis490-fleet`: argv in, exit code out. */
import { startAhead } from './facts/cold-thread.ts'

// A moment is judged from all of the index: the thread that helps to read it starts while this one loads what follows.
if (process.argv.includes('--at')) startAhead()
const { runProgram } = await import('@cis490/shared/node/cli.ts')
const { loadProgram } = await import('./program.ts')
await runProgram(await loadProgram(process.argv), process.argv)
