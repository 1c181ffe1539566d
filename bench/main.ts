/** `npm run bench -- NAME`: measures what the project promises, with the real programs. */
import { parseArgs } from 'node:util'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { parseSize } from '@cis490/shared/size.ts'
import { benchMemory } from './memory.ts'
import type { BenchOptions } from './options.ts'

const benches: Record<string, { readonly summary: string; readonly run: (options: BenchOptions) => Promise<boolean> }> = {
  memory: { summary: 'peak memory of agent and receiver while one big episode passes, each below 200 MiB', run: benchMemory },
}

const usage = `usage: npm run bench -- NAME [--size 2GiB] [--json]

${Object.entries(benches)
  .map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`)
  .join('\n')}
`

async function bench(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parse(argv)
  if (values.help) {
    process.stdout.write(usage)
    return exit.clean
  }
  const [name = '', ...more] = positionals
  const chosen = Object.hasOwn(benches, name) && more.length === 0 ? benches[name] : undefined
  if (!chosen)
    throw new UserError(`${name ? `no benchmark "${positionals.join(' ')}"` : 'name a benchmark'}\n\n${usage}`, exit.usage)
  const size = parseSize(values.size)
  if (!size) throw new UserError(`--size "${values.size}" is no size; write it like 2GiB`, exit.usage)
  return (await chosen.run({ size, json: values.json })) ? exit.clean : exit.findings
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        size: { type: 'string', default: '2GiB' },
        json: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${usage}`, exit.usage)
  }
}

try {
  process.exitCode = await bench(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
