/** `libraries.ts CHECKOUT`: 0 where everything that the lock file names for running is installed in its version, 1 with the first that is not. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../packages/shared/src/node/errno.ts'
import { firstMissing, type LockFile } from './lock-file.ts'

const checkout = process.argv[2] ?? '.'

try {
  const wanted = readLock(join(checkout, 'package-lock.json'))
  // npm writes it last, so that an installation that was cut has none.
  const missing = firstMissing(wanted, readLock(join(checkout, 'node_modules/.package-lock.json')))
  if (missing !== undefined) process.stdout.write(`${missing}\n`)
  process.exitCode = missing === undefined ? 0 : 1
} catch (error) {
  process.stdout.write(`${messageOf(error)}\n`)
  process.exitCode = 1
}

function readLock(path: string): LockFile {
  return JSON.parse(readFileSync(path, 'utf8')) as LockFile
}
