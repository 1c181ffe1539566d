/** The demo's command line. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'

export const help = `npm start -- [--once] [--seconds N] [--dir DIR] [--clean]

Runs the whole product on this machine: a receiver, a lab host that records its own telemetry, and a stale host that is refused.

  --once         do everything once and end; the exit code says whether it all worked
  --seconds N    length of a recording (default 10)
  --dir DIR      where everything lies (default: a new folder below the temporary one)
  --clean        remove that folder at the end, if the demo made it
`

export interface DemoOptions {
  readonly help: boolean
  readonly once: boolean
  readonly clean: boolean
  readonly seconds: number
  readonly dir: string | undefined
}

/** @throws UserError for an option that cannot be */
export function parseOptions(argv: readonly string[]): DemoOptions {
  const values = parse(argv)
  const seconds = Number(values.seconds)
  if (!(seconds > 0 && seconds <= 3600))
    throw new UserError(`--seconds "${values.seconds}": write a number from 1 to 3600`, exit.usage)
  const dir = values.dir === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? '.', values.dir)
  return { help: values.help, once: values.once, clean: values.clean, seconds, dir }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        once: { type: 'boolean', default: false },
        clean: { type: 'boolean', default: false },
        seconds: { type: 'string', default: '10' },
        dir: { type: 'string' },
      },
    }).values
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n\n${help}`, exit.usage)
  }
}
