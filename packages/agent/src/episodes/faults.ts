/** Why an episode cannot be packed. */

/** The episode holds something that no archive may carry. A person must mend the folder. */
export class PackRefused extends Error {
  override readonly name = 'PackRefused'
  readonly path: string
  readonly reason: 'socket' | 'fifo' | 'device' | 'link-outside' | 'unreadable'
  constructor(path: string, reason: PackRefused['reason']) {
    super(`${path}: ${reason}`)
    this.path = path
    this.reason = reason
  }
}

/** Something wrote to the folder while it was packed: it was not finished after all. */
export class EpisodeChanged extends Error {
  override readonly name = 'EpisodeChanged'
}
