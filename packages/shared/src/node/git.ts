/** git as a child process: no prompts, no locks, no shell, bounded in time. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** @returns stdout; throws when git fails or takes longer than `timeoutMs` */
export async function git(repo: string, args: readonly string[], timeoutMs = 10_000): Promise<string> {
  const { stdout } = await run('git', ['--no-optional-locks', '-c', `safe.directory=${repo}`, '-C', repo, ...args], {
    timeout: timeoutMs,
    maxBuffer: 16 << 20,
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
  })
  return stdout
}
