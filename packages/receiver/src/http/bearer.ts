/** Bearer tokens: several are valid at once, so that one can be rotated without a gap. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { WatchedFile } from './watched-file.ts'

export class BearerCheck {
  /** Both sides are hashed under a key of this process: equal lengths, and nothing to learn from the time it takes. */
  readonly #key = randomBytes(32)
  readonly #tokens: readonly WatchedFile<Buffer>[]

  /** @param files one token a file, re-read on change; none: nobody is asked @throws ConfigError */
  constructor(files: readonly string[], log?: Logger) {
    this.#tokens = files.map((path) => new WatchedFile(path, (text) => this.#digest(parseToken(text, path)), log))
  }

  /** @param now epoch milliseconds @throws Refusal unauthorized */
  check(req: IncomingMessage, now: number = Date.now()): void {
    if (this.#tokens.length === 0) return
    const given = bearerOf(req)
    if (given === undefined) throw new Refusal('unauthorized', 'Authorization: Bearer <token> is expected')
    const digest = this.#digest(given)
    // No early end: the answer takes as long for the first token as for the last.
    const matches = this.#tokens.filter((token) => timingSafeEqual(token.get(now), digest))
    if (matches.length === 0) throw new Refusal('unauthorized', 'the bearer token is not one of the receiver')
  }

  #digest(token: string): Buffer {
    return createHmac('sha256', this.#key).update(token, 'latin1').digest()
  }
}

/** RFC 6750 section 2.1; the scheme's name in any case. A repeated header is no answer to "which one". */
function bearerOf(req: IncomingMessage): string | undefined {
  const values = req.headersDistinct['authorization'] ?? []
  return values.length === 1 ? /^bearer +([\x21-\x7e]+) *$/i.exec(values[0] ?? '')?.[1] : undefined
}

function parseToken(text: string, path: string): string {
  const token = text.trim()
  if (!/^[\x21-\x7e]+$/.test(token)) throw new ConfigError(`${path}: one token of printable ASCII without spaces is expected`)
  return token
}
