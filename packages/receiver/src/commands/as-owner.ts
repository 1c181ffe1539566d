/** A command that root runs works as the owner of the state folder, so that the receiver can read what it makes. */
import { stat } from 'node:fs/promises'
import { UserError } from '@cis490/shared/node/cli.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'

/** Once, after the configuration was read. @throws UserError for a folder that is not there */
export async function actAsOwner(stateDir: string): Promise<void> {
  const { uid, gid } = await stat(stateDir).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) throw new UserError(`state_dir: ${stateDir} is not there; the installer makes it`)
    throw error
  })
  if (process.getuid?.() !== 0 || uid === 0) return
  process.setgroups?.([gid])
  process.setgid?.(gid)
  process.setuid?.(uid)
}
