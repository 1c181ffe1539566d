/** Runs the updater, also up to a point at which it is killed with all that it has started. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { checkout } from '../local-fleet/children.ts'

export interface UpdaterRun {
  /** null: it was killed. */
  readonly code: number | null
  readonly text: string
}

export interface Surroundings {
  readonly dir: string
  readonly checkout: string
  readonly config: string
  /** Folders in front of the path: what stands in for systemctl, and for a newer mv. */
  readonly bin: readonly string[]
}

/** @param cut as cut.bash has it */
export async function runUpdater(
  at: Surroundings,
  args: readonly string[],
  { cut, env = {} }: { readonly cut?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<UpdaterRun> {
  const { JOURNAL_STREAM: _, ...inherited } = process.env
  const child = spawn('bash', [join(checkout, 'scripts/autoupdate.sh'), ...args], {
    // A group of its own, which is what a cut ends.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...inherited,
      PATH: [...at.bin, process.env['PATH']].join(':'),
      CIS490_CHECKOUT: at.checkout,
      CIS490_CONFIG: at.config,
      CIS490_USER: userInfo().username,
      CIS490_TRIAL: at.dir,
      CIS490_TRIAL_PROGRAM: checkout,
      CIS490_TRIAL_NODE: process.execPath,
      CIS490_SETTLE: '1',
      CIS490_NOTICE: '0.1',
      CIS490_PATIENCE: '60',
      ...(cut === undefined ? {} : { BASH_ENV: join(import.meta.dirname, 'cut.bash'), CIS490_CUT: cut }),
      ...env,
    },
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (said: string) => (text += said))
  child.stderr.setEncoding('utf8').on('data', (said: string) => (text += said))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, text: text.trim() }
}
