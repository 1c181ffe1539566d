/** The agent's own folders: there and writable, or a line that says which key, what is wrong and what to do. */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { AgentConfig } from '../config.ts'

/** @throws UserError (exit 3) */
export async function readyFolders({ paths }: AgentConfig, ...keys: (keyof AgentConfig['paths'])[]): Promise<void> {
  for (const key of keys) {
    const path = paths[key]
    try {
      await makeDir(path)
      await access(path, constants.W_OK | constants.X_OK)
    } catch (error) {
      const why = messageOf(error).split(',')[0]
      throw new UserError(
        `paths.${key}: cannot write to ${path} (${why}); make the folder and give it to the user that runs the agent`,
      )
    }
  }
}

/** Files of another user, of root mostly, could not be read by the daemon. @throws UserError (exit 3) */
export async function mustOwn(path: string, euid: number | undefined = process.geteuid?.()): Promise<void> {
  const owner = (await stat(path).catch(() => undefined))?.uid
  if (owner === undefined || euid === undefined || owner === euid) return
  throw new UserError(`${path} belongs to user ${owner}: run this as that user (sudo -u '#${owner}' ...)`, exit.undetermined)
}

/** Root goes on as the user of the service, so that the daemon can read and replace what is written here. For good: it does not become root again. */
export async function becomeOwner(stateDir: string): Promise<void> {
  const { geteuid, setgroups, setgid, setuid } = process
  if (geteuid?.() !== 0 || !setgroups || !setgid || !setuid) return
  const owner = await stat(stateDir).catch(() => undefined)
  if (owner === undefined || owner.uid === 0) return
  setgroups([owner.gid])
  setgid(owner.gid)
  setuid(owner.uid)
}
