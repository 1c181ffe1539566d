/** What a system error means to whoever ran a command, with a step that helps. Pure. */

const deeds: Readonly<Record<string, string>> = {
  ...{ open: 'open', scandir: 'read the folder', mkdir: 'make the folder', stat: 'look at', lstat: 'look at', access: 'look at' },
  ...{ unlink: 'remove', rmdir: 'remove', rename: 'put in place', link: 'put in place', copyfile: 'copy', chmod: 'change' },
}

/** @returns undefined for what is no system error with a meaning of its own */
export function explainErrno(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { code, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
  const what = dest ?? path
  const subject = what ?? 'the file'
  const tried = `cannot ${deeds[syscall ?? ''] ?? 'use'} ${subject}`
  switch (code ?? '') {
    case 'EACCES':
    case 'EPERM':
      return `${tried}: no permission; run it as the user of the service, or as root`
    case 'ENOENT':
      if (syscall === 'mkdir') return `${tried}: the folder that it would be in is not there`
      return `${tried}: it is not there, or the folder that it is in is not`
    case 'EEXIST':
      return syscall === 'mkdir' ? `${tried}: it is there and is no folder` : `${tried}: it is there already`
    case 'ENOTDIR':
      return `${tried}: a part of this path is a file and no folder`
    case 'EISDIR':
      return what === undefined ? 'a folder was named where a file is wanted' : `${subject} is a folder; a file is wanted`
    case 'EROFS':
      return `${tried}: its disk is read-only`
    case 'ENOSPC':
    case 'EDQUOT':
      return `${tried}: no room is left on its disk`
    default:
      return undefined
  }
}
