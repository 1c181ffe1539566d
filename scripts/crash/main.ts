/** `npm run crash`: does the promise hold wherever the program dies? */
import { writeFileSync } from 'node:fs'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { crash, type Run } from './crash.ts'
import { asExpected, type Hunted } from './mutants/hunt.ts'
import { type CrashOptions, parseOptions, usage } from './options.ts'
import { describeFinding } from './plan.ts'

const shownFindings = 20

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (!options) {
    process.stdout.write(usage)
    return exit.clean
  }
  // An end by signal takes mounts and folders away as every end does.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(exit.undetermined))
  const started = performance.now()
  const { tally, leftOut, unsound, hunted } = await crash(options, process.stderr)
  const say = (text: string) => process.stdout.write(`${text}\n`)
  if (unsound.length > 0) {
    say(`without any fault there are findings already:\n${unsound.join('\n')}`)
    return exit.findings
  }
  if (tally.lines.length > 0) say(tally.table())
  for (const one of hunted) say(describeHunt(one))
  for (const result of tally.bad.slice(0, shownFindings))
    say(
      `\n${result.scenario} ${result.form} ${result.point}\n${result.findings.map((one) => `  ${describeFinding(result, one)}`).join('\n')}`,
    )
  if (tally.bad.length > shownFindings) say(`\nand ${tally.bad.length - shownFindings} more`)
  for (const one of leftOut) say(`left out: ${one}`)
  say(`${tally.bad.length} points with findings, ${((performance.now() - started) / 1000).toFixed(0)} s`)
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify(figures(options, { tally, leftOut, hunted }), null, 2)}\n`)
  return tally.bad.length > 0 || !hunted.every(asExpected) ? exit.findings : exit.clean
}

function figures(options: CrashOptions, { tally, leftOut, hunted }: Omit<Run, 'unsound'>): object {
  return {
    at: new Date().toISOString(),
    options,
    totals: tally.totals,
    lines: tally.lines,
    left_out: leftOut,
    findings: tally.bad,
    mutants: hunted.map(({ mutant, ...rest }) => ({ name: mutant.name, equivalent: mutant.equivalent, ...rest })),
  }
}

function describeHunt({ mutant, by, points, leftOut }: Hunted): string {
  const tried = `${points} points`
  const caught = by && `caught by ${by.form} ${by.point} (${by.kind}: ${by.detail}), ${tried}`
  const missed = mutant.equivalent === undefined ? `NOT CAUGHT, ${tried}` : `equivalent, ${tried}: ${mutant.equivalent}`
  const rest = leftOut.length > 0 ? `; left out: ${leftOut.join(', ')}` : ''
  return `mutant ${mutant.name}: ${mutant.breaks}: ${by && mutant.equivalent ? 'NOT EQUIVALENT, ' : ''}${caught ?? missed}${rest}`
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`crash: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
