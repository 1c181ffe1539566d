/** `npm run install-trial`: a receiver and a host, each from a bare Debian root with systemd, to the first receipt, again, and off. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { bareRoot, checkMachine, npmEnvironment, unpack } from './base.ts'
import { Machine } from './machine.ts'
import { Trial } from './trial.ts'

const memory = '/dev/shm'
const help = `npm run install-trial -- [--port N] [--cache DIR] [--place DIR] [--working-tree] [--keep]

Installs a receiver and a lab host on two machines of their own (systemd-nspawn, this machine's network) from bare Debian roots, records
an episode, waits for its receipt, tries the units, an update among them, installs again, and takes both off. Prints the time of each step.

  --port N          where the receiver listens; 18443
  --cache DIR       where the bare root is kept as a tar for the next time; ${join(tmpdir(), 'cis490-install-trial')}
  --place DIR       where the machines lie, 2 GiB each; in memory where there is ${memory}
  --working-tree    take the files as they are, not as they are committed
  --keep            leave the machines' files for a look

Exit codes: 0 all went as it should, 1 not, 2 usage, 3 cannot be tried here.
`
const repository = resolve(import.meta.dirname, '../..')

async function main(): Promise<number> {
  const options = parse()
  if (options.help) process.stdout.write(help)
  if (options.help) return exit.clean
  checkMachine()
  const started = Date.now()
  const say = (line: string) => process.stdout.write(`${((Date.now() - started) / 1000).toFixed(1).padStart(7)} s  ${line}\n`)
  const tar = bareRoot(resolve(options.cache))
  say(`bare root: ${tar}`)
  const folder = mkdtempSync(join(options.place ?? (existsSync(memory) ? memory : resolve(options.cache)), 'cis490-trial-'))
  const source = join(folder, 'source')
  const machines: Machine[] = []
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      for (const machine of machines) machine.kill()
      rmSync(folder, { recursive: true, force: true })
      process.exit(130)
    })
  try {
    clone(repository, source)
    if (options['working-tree']) commitWorkingTree(source)
    for (const name of ['receiver', 'lab-07']) {
      const root = join(folder, name)
      unpack(tar, root)
      clone(source, join(root, 'srv/cis490'))
      machines.push(await Machine.boot(root, name, npmEnvironment()))
      say(`${name} is up, bare`)
    }
    const [receiver, host] = machines as [Machine, Machine]
    return (await new Trial({ receiver, host, port: options.port, say }).run()) ? exit.clean : exit.findings
  } finally {
    for (const machine of machines) await machine.stop()
    if (!options.keep) rmSync(folder, { recursive: true, force: true })
    else say(`kept: ${folder}`)
  }
}

function parse() {
  const options = {
    help: { type: 'boolean', short: 'h', default: false },
    port: { type: 'string', default: '18443' },
    cache: { type: 'string', default: join(tmpdir(), 'cis490-install-trial') },
    place: { type: 'string' },
    'working-tree': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  } as const
  try {
    const { values } = parseArgs({ options })
    const port = Number(values.port)
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('--port: a number from 1 to 65535')
    return { ...values, port }
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${help}`, exit.usage)
  }
}

/** As an operator would have it: a clone somewhere. */
function clone(from: string, to: string): void {
  git('clone', '--quiet', '--no-hardlinks', from, to)
}

/** Once: another commit of the same files is another commit. */
function commitWorkingTree(to: string): void {
  for (const file of git('-C', repository, 'ls-files', '-coz', '--exclude-standard').split('\0')) {
    if (file === '' || !existsSync(join(repository, file))) continue
    mkdirSync(dirname(join(to, file)), { recursive: true })
    cpSync(join(repository, file), join(to, file))
  }
  git('-C', to, 'add', '--all')
  git('-C', to, '-c', 'user.name=trial', '-c', 'user.email=trial@lab', 'commit', '--quiet', '--allow-empty', '-m', 'as it is')
}

function git(...args: string[]): string {
  return execFileSync('git', ['-c', `safe.directory=${repository}`, ...args], { encoding: 'utf8' })
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`install-trial: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.findings
}
