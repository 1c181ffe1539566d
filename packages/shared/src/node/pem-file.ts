/** PEM files that a configuration names: one readable line for each mistake. */
import { readFileSync } from 'node:fs'
import { ConfigError } from './config-file.ts'
import { isErrno, messageOf } from './errno.ts'

/** @param key of the configuration that names it @throws ConfigError */
export function readPemFile(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`${key}: cannot read ${path}: ${messageOf(error).split(',')[0]}`, { cause: error })
  }
}

/** @returns undefined where there is none @throws ConfigError for one that cannot be read */
export function readPemFileIfThere(path: string, key: string): string | undefined {
  try {
    return readPemFile(path, key)
  } catch (error) {
    if (error instanceof ConfigError && isErrno(error.cause, 'ENOENT')) return undefined
    throw error
  }
}

/** @param read the parser @param what it should be, like `a certificate` @throws ConfigError */
export function parsePemFile<T>(read: () => T, path: string, what: string): T {
  try {
    return read()
  } catch (error) {
    throw new ConfigError(`${path}: this is not ${what} in PEM form`, { cause: error })
  }
}
