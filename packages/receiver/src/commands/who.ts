import { userInfo } from 'node:os'

/** Who is asking, for records: the person behind sudo, else the user. */
export function whoAsks(): string {
  return process.env['SUDO_USER'] || userInfo().username
}
