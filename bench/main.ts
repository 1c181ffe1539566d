/** `npm run bench -- NAME`: measures what the project promises, with the real programs, beside others. */
import { writeFile } from 'node:fs/promises'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { benches } from './benches.ts'
import { capacityPlot, capacityReport, capacityText } from './capacity/command.ts'
import { measured, readCosts } from './capacity/costs.ts'
import { type Bench, runBench } from './frame/bench.ts'
import { maskShaExtensions } from './frame/machine.ts'
import { plotGoals } from './frame/plot.ts'
import { type BenchReport, exitCodeOf, goalsOf } from './frame/report.ts'
import { reportText } from './frame/table.ts'
import { type CommandLine, readCommandLine } from './options.ts'

const names = Object.keys(benches)
const usage = `usage: npm run bench -- NAME [--rounds 5] [--quick] [--size 1GiB] [--rows 10000000] [--peers A,B] [--json [FILE]] [--plot FILE]

${[
  ...Object.entries(benches).map(([name, { summary }]) => [name, summary]),
  ['all', 'all of them, one after the other'],
  ['capacity', 'nothing is measured: what one receiver carries, from the costs'],
]
  .map(([name = '', summary]) => `  ${name.padEnd(9)} ${summary}`)
  .join('\n')}

  --rounds N     interleaved rounds, of which the medians count
  --quick        tiny amounts: does it run? Nothing is held against the goals
  --size, --rows of a body, an episode, an index, where a bench has one
  --peers A,B    compare with these only: starlette, caddy+starlette, nginx, tus, "naive node"; wc -l, readline, DuckDB
  --plain-sha    without the processor's instructions for SHA-256, which not every machine has
  --json [FILE]  the whole as one JSON document
  --plot FILE    the goals as an SVG
  --costs FILE   for capacity: JSON with costs that were measured elsewhere

Exit codes: 0 every goal is met, 1 one is missed, 2 usage, 3 one could not be measured.
`

async function bench(argv: readonly string[]): Promise<number> {
  const line = readCommandLine(argv, [...names, 'all', 'capacity'])
  if (line.help) {
    process.stdout.write(usage)
    return exit.clean
  }
  if (line.names.length === 1 && line.names[0] === 'capacity') return await capacity(line)
  if (line.plainSha) maskShaExtensions()
  const reports: BenchReport[] = []
  for (const [name, one] of chosen(line.names)) {
    const report = await runBench(name, one, line, steps(name))
    if (line.json !== '-') process.stdout.write(reportText(report))
    reports.push(report)
  }
  await keep(line, reports)
  return exitCodeOf(reports)
}

function chosen(asked: readonly string[]): [string, Bench][] {
  if (asked.length === 0) throw new UserError(`name a benchmark\n\n${usage}`, exit.usage)
  const all = asked.includes('all') ? names : asked
  return all.map((name) => {
    const one = Object.hasOwn(benches, name) ? benches[name] : undefined
    if (!one) throw new UserError(`no benchmark "${name}"\n\n${usage}`, exit.usage)
    return [name, one]
  })
}

/** A bar on a terminal only: a log file has the table. */
function steps(name: string) {
  if (!process.stderr.isTTY) return undefined
  return (done: number, total: number, what: string) => {
    const bar = makeProgress({ label: `${name} ${what}`.trim(), total, unit: 'count', stream: process.stderr })
    if (done === total) bar.done()
    else bar.update(done)
  }
}

async function capacity({ costs, json, plot }: CommandLine): Promise<number> {
  const report = capacityReport(costs === undefined ? measured : readCosts(costs))
  if (json !== '-') process.stdout.write(capacityText(report))
  await write(json, `${JSON.stringify(report, null, 2)}\n`)
  await write(plot, capacityPlot(report))
  return exit.clean
}

/** @param target a file, `-` for stdout, nothing for nowhere */
async function write(target: string | undefined, text: string): Promise<void> {
  if (target === '-') process.stdout.write(text)
  else if (target !== undefined) await writeFile(target, text)
}

async function keep({ json, plot, names: asked }: CommandLine, reports: readonly BenchReport[]): Promise<void> {
  await write(json, `${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`)
  const [first] = reports
  if (!first) return
  const { at, cpus, cpu, node, sha_extensions } = first.machine
  const footer = `${at.slice(0, 10)}, ${cpus} x ${cpu}, SHA extensions ${sha_extensions}, Node ${node.slice(1)}, medians of ${first.rounds} rounds`
  await write(plot, plotGoals(`Goals: ${asked.join(', ')}`, goalsOf(reports), footer))
}

try {
  process.exitCode = await bench(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
