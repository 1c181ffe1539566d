/** What the command line asks of a bench, and how it is read. */
import { parseArgs } from 'node:util'
import { nearest } from '@cis490/shared/nearest.ts'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { parseSize } from '@cis490/shared/size.ts'

export interface BenchOptions {
  readonly rounds: number
  /** A few seconds with tiny amounts: does it run at all? Nothing is held against the goals. */
  readonly quick: boolean
  /** Bytes of a body or an episode; each bench has its own default. */
  readonly size: number | undefined
  /** Rows of an index. */
  readonly rows: number | undefined
  /** Who takes part, by name, ours always; all that are installed where it is absent. */
  readonly peers: readonly string[] | undefined
}

export interface CommandLine extends BenchOptions {
  readonly help: boolean
  readonly names: readonly string[]
  /** A file, `-` for stdout. */
  readonly json: string | undefined
  readonly plot: string | undefined
  readonly costs: string | undefined
  /** Do without the processor's instructions for SHA-256. */
  readonly plainSha: boolean
}

/** Whoever can take part in a bench beside ours and what it is always held against. */
export const peerNames = ['starlette', 'caddy+starlette', 'nginx', 'tus', 'naive node', 'wc -l', 'readline', 'DuckDB']

export function readCommandLine(argv: readonly string[], known: readonly string[]): CommandLine {
  const { values, positionals } = parse(withJsonTarget(argv, known))
  const count = (text: string | undefined, option: string) => {
    if (text === undefined) return undefined
    if (!/^[1-9]\d{0,8}$/.test(text)) throw new UserError(`--${option} "${text}" is no number of 1 and more`, exit.usage)
    return Number(text)
  }
  const size = values.size === undefined ? undefined : parseSize(values.size)
  if (values.size !== undefined && !size)
    throw new UserError(`--size "${values.size}" is no size; write it like 2GiB`, exit.usage)
  return {
    help: values.help,
    names: positionals,
    rounds: count(values.rounds, 'rounds') ?? (values.quick ? 1 : 5),
    quick: values.quick,
    size,
    rows: count(values.rows, 'rows'),
    peers: values.peers?.split(',').map((name) => peerCalled(name.trim())),
    json: values.json,
    plot: values.plot,
    costs: values.costs,
    plainSha: values['plain-sha'],
  }
}

function peerCalled(name: string): string {
  if (peerNames.includes(name)) return name
  const meant = nearest(name, peerNames, 1)[0]
  const hint = meant === undefined ? `one of ${peerNames.join(', ')}` : `did you mean "${meant}"?`
  throw new UserError(`--peers "${name}" is no competitor; ${hint}`, exit.usage)
}

/** `--json` alone means stdout; a word after it that names no bench is the file. */
function withJsonTarget(argv: readonly string[], known: readonly string[]): string[] {
  return argv.flatMap((word, k) => {
    const next = argv[k + 1]
    const hasFile = next !== undefined && !next.startsWith('-') && !known.includes(next)
    return word === '--json' && !hasFile ? ['--json=-'] : [word]
  })
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        size: { type: 'string' },
        rows: { type: 'string' },
        peers: { type: 'string' },
        json: { type: 'string' },
        plot: { type: 'string' },
        costs: { type: 'string' },
        'plain-sha': { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UserError(messageOf(error), exit.usage)
  }
}
