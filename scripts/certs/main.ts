/** `npm run certs`: signals, the end, and the exit code. */
import { rm, writeFile } from 'node:fs/promises'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { type CertsOptions, help, parseOptions } from './options.ts'
import { describe } from './result.ts'
import { runCerts } from './run.ts'

async function run(options: CertsOptions): Promise<number> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const { result, dir } = await runCerts(options, say, stop.signal)
  process.stdout.write(`${describe(result)}\n`)
  if (options.json) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
  const clean = result.failures.length === 0
  if (clean && !options.keep) await rm(dir, { recursive: true, force: true })
  else say(`everything is in ${dir}`)
  return clean ? exit.clean : exit.findings
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(help)
  else process.exitCode = await run(options)
} catch (error) {
  process.stderr.write(`certs: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
