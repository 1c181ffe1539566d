/** Checks of the site's own: executables in a folder that speak as monitoring plugins do. */
import { spawn } from 'node:child_process'
import { access, constants, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Check, Finding } from './check.ts'
import { pluginOutcome, readPluginOutput, withPrefix } from './plugin.ts'

/** Of packages and editors, which are not meant to run. */
const leftovers = /^\.|~$|\.(?:dpkg-\w+|bak|orig|rpm\w+|swp|disabled)$|^README/

/** One check for each file, by name; none where there is no folder. */
export async function siteChecks(dir: string): Promise<Check[]> {
  try {
    const names = (await readdir(dir)).filter((name) => !leftovers.test(name)).sort()
    return names.map((name) => siteCheck(dir, name))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    const found: Finding = { outcome: 'unknown', text: `cannot look into ${dir}: ${messageOf(error)}` }
    return [{ ...words('site/', dir), run: async () => found }]
  }
}

function siteCheck(dir: string, name: string): Check {
  const path = join(dir, name)
  return {
    ...words(`site/${name}`, path),
    run: async (signal) => (await whyNotRun(path)) ?? (await runPlugin(path, name, signal)),
  }
}

function words(code: string, path: string): Omit<Check, 'run'> {
  return {
    code,
    title: `Check of this site (${path})`,
    severity: 'critical',
    timeout: 30_000,
    depends_on: [],
    remedy: `run it by hand and see what it says: sudo -u cis490 ${path}`,
  }
}

/** What others can write is not run: it would run as this user, with the key of this host. */
async function whyNotRun(path: string): Promise<Finding | undefined> {
  const { mode, uid } = await stat(path)
  if ((mode & 0o022) !== 0 || (uid !== 0 && uid !== process.getuid?.()))
    return {
      outcome: 'unknown',
      text: 'not run: others than root can change it',
      remedy: `sudo chown root ${path} && sudo chmod go-w ${path}`,
    }
  const executable = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
  if (executable) return undefined
  return { outcome: 'unknown', text: 'not run: it is not executable', remedy: `sudo chmod 755 ${path}` }
}

const mostOutput = 64 * 1024
const longestText = 500
/** A report with many checks has to fit what the receiver takes. */
const mostPerfdata = 30
/** Milliseconds after its end in which the output of a plugin is read to its end: something that it left running may hold it open. */
const outputGrace = 500

async function runPlugin(path: string, name: string, signal: AbortSignal): Promise<Finding> {
  // A process group of its own: a plugin that hangs goes with its children.
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }
  const child = spawn(path, [], { detached: true, env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      if (said[stream].length < mostOutput) said[stream] += text
    })
  const kill = () => killGroup(child.pid)
  signal.addEventListener('abort', kill, { once: true })
  const { promise, resolve } = Promise.withResolvers<Finding>()
  child.on('error', (error) => resolve({ outcome: 'unknown', text: `cannot run it: ${messageOf(error)}` }))
  let late: NodeJS.Timeout | undefined
  child.on('exit', () => {
    late = setTimeout(() => {
      child.stdout.destroy()
      child.stderr.destroy()
    }, outputGrace)
  })
  child.on('close', (code, killed) => resolve(findingOf(name, code, killed, said)))
  try {
    return await promise
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', kill)
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

function findingOf(
  name: string,
  code: number | null,
  killed: NodeJS.Signals | null,
  said: { readonly stdout: string; readonly stderr: string },
): Finding {
  const { text, perfdata } = readPluginOutput(said.stdout)
  const outcome = pluginOutcome(code)
  const ending = killed === null ? `it ended with ${code}` : `${killed} ended it`
  const words = text || said.stderr.split('\n')[0]?.trim() || 'it said nothing'
  const foreign = code === null || code > 3
  return {
    outcome,
    text: `${foreign ? `${ending}, which no plugin does: ` : ''}${words}`.slice(0, longestText),
    data: { exit_code: code },
    perfdata: perfdata
      .slice(0, mostPerfdata)
      .map((one) => withPrefix(`${name.replaceAll(/[\s'=|]/g, '_')}_`, one.slice(0, longestText))),
  }
}
