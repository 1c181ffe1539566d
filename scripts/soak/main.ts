/** `npm run soak`: signals, the end, and the exit code. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { describeCuts, measureCuts } from './cuts.ts'
import type { History } from './history.ts'
import { help, parseOptions, type SoakOptions } from './options.ts'
import { makePlace } from './place.ts'
import { describe, machine } from './result.ts'
import { soak } from './run.ts'

/** What may arrive of an upload that is cut 20 times, as a share of it. */
const mostOfAnUpload = 1.05
const cuts = 20

async function runCuts(options: SoakOptions): Promise<number> {
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const result = await measureCuts({ bytes: 1 << 30, cuts, seed: options.seed, say })
  process.stdout.write(`${describeCuts(result)}\n`)
  if (options.json) await writeFile(options.json, `${JSON.stringify({ ...result, machine: machine() }, undefined, 2)}\n`)
  return result.ratio <= mostOfAnUpload && result.rows === 1 && result.cuts === cuts ? exit.clean : exit.findings
}

async function run(options: SoakOptions): Promise<number> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
  const place = await makePlace(options.dir)
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  say(`soak of ${options.minutes} min with --seed ${options.seed} in ${place.dir}`)
  const { result, history } = await soak(place, options, say, stop.signal)
  process.stdout.write(`${describe(result)}\n`)
  const clean = result.violations.length === 0 && result.complaints.length === 0
  if (options.json) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
  if (clean && !options.keep) await rm(place.dir, { recursive: true, force: true })
  else {
    await writeFile(join(place.dir, 'history.jsonl'), linesOf(history))
    say(`everything is in ${place.dir}`)
  }
  return clean && result.short.length === 0 ? exit.clean : exit.findings
}

function linesOf({ puts, reads }: History): string {
  return [...puts, ...reads].map((row) => `${JSON.stringify(row)}\n`).join('')
}

try {
  const options = parseOptions(process.argv.slice(2), Math.floor(Math.random() * 2 ** 32))
  if (options.help) process.stdout.write(help)
  else process.exitCode = await (options.cuts ? runCuts(options) : run(options))
} catch (error) {
  process.stderr.write(`soak: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
// What was interrupted may still wait for something.
process.exit()
