/** A small file whose content is taken up again when it changes: no signal, no watcher, at most one stat a second. */
import { readFileSync, statSync } from 'node:fs'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'

const everyMs = 1000

export class WatchedFile<T> {
  readonly #path: string
  readonly #parse: (text: string) => T
  readonly #log: Logger | undefined
  #value: T
  /** Of the content in force. */
  #seen: string
  /** Of the content that was logged as not usable. */
  #told: string | undefined
  #checkedAt = Number.NEGATIVE_INFINITY

  /** @throws ConfigError when the file cannot be read or `parse` (which throws ConfigError) refuses it */
  constructor(path: string, parse: (text: string) => T, log?: Logger) {
    this.#path = path
    this.#parse = parse
    this.#log = log
    try {
      this.#seen = signature(path)
      this.#value = parse(readFileSync(path, 'utf8'))
    } catch (error) {
      if (error instanceof ConfigError) throw error
      throw new ConfigError(`${path}: ${messageOf(error)}`)
    }
  }

  /**
   * The content now; never throws. What cannot be read leaves the last good content in force, is logged once a change, and is tried
   * again: a revocation must not be missed for good because the file table was full when it came.
   */
  get(now: number): T {
    if (Math.abs(now - this.#checkedAt) < everyMs) return this.#value
    this.#checkedAt = now
    let seen = 'unseen'
    try {
      seen = signature(this.#path)
      if (seen === this.#seen) return this.#value
      this.#value = this.#parse(readFileSync(this.#path, 'utf8'))
      this.#seen = seen
      this.#told = undefined
      this.#log?.info({ event: 'file-reloaded', path: this.#path }, 'took up a changed file')
    } catch (error) {
      if (this.#told !== seen)
        this.#log?.error(
          { path: this.#path, reason: messageOf(error) },
          'a changed file is not usable; its last good content stays in force',
        )
      this.#told = seen
    }
    return this.#value
  }
}

/** Another inode, time or size is another content; the change time shows even a restored modification time. */
function signature(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? 'absent' : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
}
