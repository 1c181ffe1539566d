/** The command line of `npm run crash`. */
import { parseArgs } from 'node:util'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { defaultJobs } from './lab.ts'
import { isScenarioName, scenarioNames } from './scenarios.ts'

export const forms = ['kill', 'recovery', 'power', 'errno', 'mutants'] as const
export type FormName = (typeof forms)[number] | 'ext4' | 'xfs'

export interface CrashOptions {
  readonly scenarios: readonly string[]
  readonly forms: readonly FormName[]
  readonly quick: boolean
  readonly point: string | undefined
  readonly mutant: string | undefined
  readonly jobs: number
  readonly seed: number
  readonly json: string | undefined
}

export const usage = `usage: npm run crash [-- OPTIONS]

Ends the programs at every call that changes the file system, starts them again and looks whether a promise was broken.

  --scenario NAME   only this piece of work: ${scenarioNames.join(', ')}
  --form NAME       only this form: ${forms.join(', ')} (power: ext4 and xfs, or name one of them)
  --quick           a sample of the points, a minute or so
  --point POINT     only this point, as a report names it; needs --scenario and --form
  --mutant NAME     only this mutant; with --form mutants
  --jobs N          points at a time (default: the processors)
  --seed N          where the sample begins (default: 0)
  --json FILE       the figures as JSON
  --help

Power cuts mount file systems and need root. Exit codes: 0 nothing found, 1 findings, 2 usage, 3 could not be tried.
`

/** @throws UserError @returns undefined when only help was asked for */
export function parseOptions(argv: readonly string[]): CrashOptions | undefined {
  const values = parse(argv)
  if (values.help) return undefined
  const named = values.scenario ?? []
  const chosen = values.form ?? []
  for (const name of named) if (!isScenarioName(name)) throw misuse(`there is no scenario "${name}"`)
  for (const name of chosen) if (![...forms, 'ext4', 'xfs'].includes(name)) throw misuse(`there is no form "${name}"`)
  if (values.point !== undefined && (named.length !== 1 || chosen.length !== 1 || ['power', 'mutants'].includes(chosen[0] ?? '')))
    throw misuse('--point needs one --scenario and one --form (kill, recovery, ext4, xfs or errno)')
  return {
    scenarios: named.length > 0 ? named : scenarioNames,
    forms: (chosen.length > 0 ? chosen : forms) as FormName[],
    quick: values.quick,
    point: values.point,
    mutant: values.mutant,
    jobs: whole(values.jobs, '--jobs', 1) ?? defaultJobs(),
    seed: whole(values.seed, '--seed', 0) ?? 0,
    json: values.json,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        scenario: { type: 'string', multiple: true },
        form: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        point: { type: 'string' },
        mutant: { type: 'string' },
        jobs: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw misuse(messageOf(error))
  }
}

function whole(text: string | undefined, option: string, least: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < least) throw misuse(`${option} is a whole number of at least ${least}`)
  return value
}

function misuse(message: string): UserError {
  return new UserError(`${message}\n\n${usage}`, exit.usage)
}
