/** The command line of the harness of certificates. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseDuration } from '@cis490/shared/duration.ts'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'

export const help = `npm run certs -- [--minutes N] [--lifetime 60s] [--hosts N] [--json FILE] [--dir DIR] [--keep]

A real receiver with a CA of its own and real agents that joined by token, over real TLS, with certificates that end soon:
each is renewed at two thirds of its life, on both ends, while small, large and interrupted episodes are shipped all the
time. Exit code 1 if a transfer failed, a renewal was missing, or an episode did not arrive once.

  --minutes N    how long (default 10)
  --lifetime D   of each certificate, from 3s to 1h (default 60s)
  --hosts N      1 to 3 (default 3)
  --json FILE    write the result there too
  --dir DIR      make the folder of the run below DIR (default: the temporary one)
  --keep         keep that folder; it is kept in any case where something was found
`

export interface CertsOptions {
  readonly help: boolean
  readonly minutes: number
  /** ms */
  readonly lifetime: number
  readonly hosts: number
  readonly json: string | undefined
  readonly dir: string | undefined
  readonly keep: boolean
}

const mostInAMinute = 10

/** @throws UserError for an option that cannot be */
export function parseOptions(argv: readonly string[]): CertsOptions {
  const values = parse(argv)
  const minutes = Number(values.minutes)
  if (!(minutes >= 0.05 && minutes <= 1440))
    throw new UserError(`--minutes "${values.minutes}": write a number from 0.05 to 1440`, exit.usage)
  const lifetime = parseDuration(values.lifetime) ?? 0
  if (lifetime < 3000 || lifetime > 3_600_000)
    throw new UserError(`--lifetime "${values.lifetime}": write a duration from 3s to 1h`, exit.usage)
  // So many are given out to a host in a minute, whoever asks.
  if (Math.min(minutes, 1) * 60_000 > (lifetime / 2) * (mostInAMinute - 1))
    throw new UserError(
      `a host gets ${mostInAMinute} certificates a minute: --lifetime ${values.lifetime} is too short for so long`,
      exit.usage,
    )
  const hosts = Number(values.hosts)
  if (![1, 2, 3].includes(hosts)) throw new UserError(`--hosts "${values.hosts}": write 1, 2 or 3`, exit.usage)
  const path = (value: string | undefined) => (value === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? '.', value))
  return { help: values.help, minutes, lifetime, hosts, json: path(values.json), dir: path(values.dir), keep: values.keep }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        minutes: { type: 'string', default: '10' },
        lifetime: { type: 'string', default: '60s' },
        hosts: { type: 'string', default: '3' },
        json: { type: 'string' },
        dir: { type: 'string' },
        keep: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${help}`, exit.usage)
  }
}
