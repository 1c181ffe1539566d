/** The command line of the soak. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'

export const help = `npm run soak -- [--minutes N] [--kills N] [--seed N] [--json FILE] [--dir DIR] [--keep]
npm run soak -- cuts

Real agents and raw clients upload through a proxy that cuts, resets, stalls and throttles, while the receiver is killed
again and again. At the end every acknowledged episode has to be there once, as it was acknowledged. Exit code 1 if not.

  --minutes N    how long (default 10)
  --kills N      how often the receiver is killed (default 51 a minute)
  --agents N     agents (default 8)
  --clients N    connections of raw clients (default 12, over two hosts)
  --seed N       decides over sizes, order, faults and kills (default: any; printed)
  --json FILE    write the result there too
  --dir DIR      make the folder of the run below DIR (default: the temporary one)
  --keep         keep that folder; it is kept in any case where something was found

cuts: one episode of 1 GiB whose connection is cut 20 times; how many bytes arrive in all.
`

export interface SoakOptions {
  readonly help: boolean
  readonly cuts: boolean
  readonly minutes: number
  readonly kills: number
  readonly agents: number
  readonly clients: number
  readonly seed: number
  readonly json: string | undefined
  readonly dir: string | undefined
  readonly keep: boolean
}

/** @param anySeed where none is given. @throws UserError for an option that cannot be */
export function parseOptions(argv: readonly string[], anySeed: number): SoakOptions {
  const { values, positionals } = parse(argv)
  if (positionals.length > 1 || (positionals[0] ?? 'cuts') !== 'cuts')
    throw new UserError(`"${positionals.join(' ')}" is nothing to run\n\n${help}`, exit.usage)
  const minutes = number('minutes', values.minutes, 0.01, 1440)
  const path = (value: string | undefined) => (value === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? '.', value))
  return {
    help: values.help,
    cuts: positionals.length === 1,
    minutes,
    kills: values.kills === undefined ? Math.ceil(minutes * 51) : number('kills', values.kills, 0, 1e6),
    agents: number('agents', values.agents, 0, 9),
    clients: number('clients', values.clients, 1, 64),
    seed: values.seed === undefined ? anySeed : number('seed', values.seed, 0, 2 ** 32 - 1),
    json: path(values.json),
    dir: path(values.dir),
    keep: values.keep,
  }
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new UserError(`--${name} "${text}": write a number from ${least} to ${most}`, exit.usage)
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        minutes: { type: 'string', default: '10' },
        kills: text,
        agents: { type: 'string', default: '8' },
        clients: { type: 'string', default: '12' },
        seed: text,
        json: text,
        dir: text,
        keep: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${help}`, exit.usage)
  }
}
