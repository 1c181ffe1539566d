/** `npm run updates`: does a host ship whatever happens to an update? */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { Children } from '../local-fleet/children.ts'
import { besides, receiverFaults } from './beside.ts'
import { tryBundle } from './bundle.ts'
import { type CutResult, type Form, tryCut } from './cut.ts'
import { points, uncut } from './points.ts'
import { updateRealTree } from './real.ts'
import { trySigned } from './signed.ts'
import { Trial } from './trial.ts'
import { lacks, tryWithout } from './without.ts'

const usage = `npm run updates -- [--only TEXT] [--every N] [--exchange] [--no-real] [--keep]
  Kills the updater at every point of an update, with its daemon and without, and takes away what it needs; after each the host
  has to have a whole tree and ship an episode, the receiver that runs from the same tree has to run that commit, and the next run has
  to update. systemctl is a stand-in that starts the real daemon.
  --only TEXT   points whose name has TEXT     --every N   each N-th of them
  --exchange    with a mv that exchanges two folders at once, as coreutils 9.5 has it
  --no-real     without the update of the real tree (npm ci and the whole program)     --keep   keeps its folder
`

const ways = { 'a bundle instead of a registry': tryBundle, 'a commit that is signed': trySigned }

/** @throws UserError, also where nothing would be tried */
function parse() {
  const options = {
    only: { type: 'string', default: '' },
    every: { type: 'string', default: '1' },
    exchange: { type: 'boolean', default: false },
    'no-real': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  try {
    const { values } = parseArgs({ options })
    const every = Number(values.every)
    if (!Number.isInteger(every) || every < 1) throw new Error('--every: a whole number from 1 on')
    const names = [...points().map(({ cut }) => cut), ...[...lacks, ...besides].map(({ name }) => name), ...Object.keys(ways)]
    if (!names.some((name) => name.includes(values.only))) throw new Error(`--only: nothing has "${values.only}" in its name`)
    return { ...values, every }
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${usage}`, exit.usage)
  }
}

type Options = ReturnType<typeof parse>

const say = (text: string) => process.stdout.write(`${text}\n`)

async function trials(dir: string, children: Children, values: Options): Promise<boolean> {
  await using trial = new Trial(dir, values.exchange)
  await trial.begin(children)
  trial.systemctl('start')
  await trial.addReceiver()
  const chosen = points().filter(({ cut }, k) => cut.includes(values.only) && k % values.every === 0)
  const forms: readonly Form[] = ['killed', 'power']
  const progress = makeProgress({ label: 'cuts', total: chosen.length * forms.length, unit: 'count', stream: process.stderr })
  const results: CutResult[] = []
  for (const point of chosen)
    for (const form of forms) {
      const result = await tryCut(trial, point, form)
      progress.update(results.push(result))
      if (result.findings.length > 0)
        say(`${form} ${point.cut}${point.broken ? ' (way back)' : ''}: ${result.findings.join('; ')}`)
    }
  progress.done()
  const hit = results.filter((one) => one.hit)
  say(`cuts: ${hit.length} of ${new Set(hit.map(({ point }) => point.cut)).size} points, both with the daemon and without`)
  let wrong = results.some(({ findings }) => findings.length > 0)
  for (const name of uncut(hit.map(({ point }) => point))) {
    say(`${name} has more commands than are cut: raise its number in points.ts`)
    wrong = true
  }
  for (const lack of [...lacks, ...besides].filter(({ name }) => name.includes(values.only))) {
    const findings = await tryWithout(trial, lack)
    await trial.deliver().catch((error: Error) => findings.push(error.message))
    findings.push(...(await receiverFaults(trial)))
    say(`${lack.name}: ${findings.length === 0 ? `${lack.outcome}, and it ships` : findings.join('; ')}`)
    wrong ||= findings.length > 0
  }
  for (const [name, attempt] of Object.entries(ways)) {
    if (!name.includes(values.only)) continue
    const findings = await attempt(trial)
    say(`${name}: ${findings.length === 0 ? 'updated' : findings.join('; ')}`)
    wrong ||= findings.length > 0
  }
  return !wrong
}

async function main(): Promise<number> {
  const values = parse()
  if (values.help) {
    process.stdout.write(usage)
    return exit.clean
  }
  const dir = mkdtempSync(join(tmpdir(), 'cis490-updates-'))
  const children = new Children(join(dir, 'logs'))
  mkdirSync(join(dir, 'logs'))
  const started = performance.now()
  // An end by signal leaves no daemon and no folder behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(exit.undetermined))
  if (!values.keep) process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  try {
    let well = await trials(dir, children, values)
    if (!values['no-real']) {
      const told = await updateRealTree(join(dir, 'real'), children)
      say(`the real tree: ${told.text}`)
      well &&= told.well
    }
    say(`${((performance.now() - started) / 1000).toFixed(0)} s`)
    return well ? exit.clean : exit.findings
  } finally {
    await children.stop()
    if (values.keep) say(dir)
  }
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`updates: ${messageOf(error)}\n`)
  return error instanceof UserError ? error.exitCode : exit.undetermined
})
