/** Does a stream end in the journal of the service manager? There a line may begin with its priority. */
import { fstatSync } from 'node:fs'

/** A shell of a desktop inherits the variable of the service that began it: only device and inode say whether this stream is the journal's. */
export function isJournal(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env): boolean {
  const { JOURNAL_STREAM: told } = env
  const { fd } = stream as { fd?: number }
  if (!told || fd === undefined) return false
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return told === `${dev}:${ino}`
  } catch {
    return false
  }
}
