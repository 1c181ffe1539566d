/** Loads the receiver's modules and waits for a byte on stdin: a start after a kill then costs the start alone, not the reading of the program. */
import '@cis490/receiver/commands/serve.ts'
import { flushCompileCache } from 'node:module'

// Whoever is killed cannot store what was compiled.
flushCompileCache()
process.stdout.write('{"event":"loaded"}\n')
// Node awaits this module before the program's own: nothing of it may run before.
const told = await new Promise<boolean>((resolve) => {
  process.stdin.once('data', () => resolve(true)).once('end', () => resolve(false))
})
process.stdin.destroy()
if (!told) process.exit(0)
