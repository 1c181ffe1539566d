/** `npm run man -- DIR`: writes the manual pages and the completions of the three programs. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { generatedFiles, programs } from './files.ts'

const help = `npm run man -- DIR [--program NAME]... [--remove]

Writes the manual pages of the three programs and their completions for bash and zsh below DIR, and prints each path.
In /usr/local/share man and both shells find them by themselves. --program is agent, receiver or fleet: of this one only.
--remove takes them away again.
`

async function main(): Promise<number> {
  const { values, positionals } = parse()
  if (values.help) process.stdout.write(help)
  if (values.help) return exit.clean
  if (positionals.length !== 1) throw new UserError(`name one folder\n\n${help}`, exit.usage)
  const strange = values.program?.find((name) => !programs.includes(name))
  if (strange !== undefined)
    throw new UserError(`--program ${strange}: it is one of ${programs.join(', ')}\n\n${help}`, exit.usage)
  const folder = resolve(process.env['INIT_CWD'] ?? '.', positionals[0] as string)
  for (const { path, text } of await generatedFiles(values.program)) {
    const file = join(folder, path)
    if (values.remove) rmSync(file, { force: true })
    else save(file, text)
    process.stdout.write(`${file}\n`)
  }
  return exit.clean
}

function parse() {
  const options = {
    help: { type: 'boolean', short: 'h' },
    remove: { type: 'boolean' },
    program: { type: 'string', multiple: true },
  } as const
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${help}`, exit.usage)
  }
}

/** Readable by all, also where root's umask is strict. */
function save(file: string, text: string): void {
  const made = mkdirSync(dirname(file), { recursive: true })
  for (let folder = dirname(file); made !== undefined && folder.length >= made.length; folder = dirname(folder))
    chmodSync(folder, 0o755)
  writeFileSync(file, text)
  chmodSync(file, 0o644)
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`man: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
