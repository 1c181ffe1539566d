/** The deny list, the waivers and the directives: files that people edit while the receiver runs. */
import { type BigIntStats, statSync } from 'node:fs'
import { CommitSha, EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { ConfigError, loadConfig } from '@cis490/shared/node/config-file.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Size } from '@cis490/shared/size.ts'
import { z } from 'zod'
import type { Directive } from '../core/directives.ts'
import type { Denial, Waiver } from '../core/gate.ts'
import { Until } from './until.ts'

const why = z.string().trim().min(1, 'must say something')
const DenyFile = z
  .strictObject({ deny: z.array(z.strictObject({ commit: CommitSha, reason: why, by: why })).default([]) })
  .transform((file): readonly Denial[] => file.deny)
const WaiversFile = z
  .strictObject({
    waiver: z
      .array(z.strictObject({ host: HostName, commits: z.array(CommitSha).min(1), until: Until, reason: why, by: why }))
      .default([]),
  })
  .transform((file): readonly Waiver[] => file.waiver)
const DirectivesFile = z
  .strictObject({
    directive: z
      .array(
        z.strictObject({
          host: z.union([z.literal('*'), HostName], { error: 'the name of a host, or "*" for all' }),
          pause: z.boolean().optional(),
          rate: Size.refine((bytes) => bytes > 0, 'more than 0 bytes a second; pause = true stops a host').optional(),
          want: z.array(EpisodeId).max(1000).optional(),
          hold_update: z.boolean().optional(),
          until: Until.optional(),
          reason: why.optional(),
          by: why.optional(),
        }),
      )
      .default([]),
  })
  .transform((file): readonly Directive[] => file.directive)

/** One file of rules. It is looked at when it is used, at most once a second; what does not parse leaves the rules as they were. */
export class RulesFile<Rule> {
  readonly #path: string
  readonly #schema: z.ZodType<readonly Rule[]>
  readonly #log: Logger
  readonly #now: () => number
  #rules: readonly Rule[] = []
  #print = ''
  #checkedAt: number

  private constructor(path: string, schema: z.ZodType<readonly Rule[]>, log: Logger, now: () => number) {
    this.#path = path
    this.#schema = schema
    this.#log = log
    this.#now = now
    this.#checkedAt = now()
    if (path !== '') this.#loadFirst()
  }

  /** @param path '' where none is configured. @throws ConfigError when the file cannot be used */
  static deny(path: string, log: Logger, now: () => number = Date.now): RulesFile<Denial> {
    return new RulesFile(path, DenyFile, log, now)
  }

  static waivers(path: string, log: Logger, now: () => number = Date.now): RulesFile<Waiver> {
    return new RulesFile(path, WaiversFile, log, now)
  }

  static directives(path: string, log: Logger, now: () => number = Date.now): RulesFile<Directive> {
    return new RulesFile(path, DirectivesFile, log, now)
  }

  current(): readonly Rule[] {
    const since = this.#now() - this.#checkedAt
    if (this.#path === '' || (since >= 0 && since < 1000)) return this.#rules
    this.#checkedAt = this.#now()
    const print = fingerprint(this.#path)
    if (print !== this.#print) this.#reload(print)
    return this.#rules
  }

  #loadFirst(): void {
    this.#print = fingerprint(this.#path)
    if (this.#print === 'absent')
      this.#log.warn({ path: this.#path }, 'the rules file is not there yet; no rule applies until it is')
    else this.#rules = loadConfig(this.#path, this.#schema)
  }

  #reload(print: string): void {
    this.#print = print
    try {
      this.#rules = loadConfig(this.#path, this.#schema)
      this.#log.info({ path: this.#path, rules: this.#rules.length }, 'rules file reloaded')
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      this.#log.error(
        { path: this.#path, reason: messageOf(error) },
        'the rules file cannot be used; the last good rules stay. Mend it',
      )
    }
  }
}

/** Changes when the file is edited in place or replaced. Taken before the read, so that an edit in between is seen next time. */
function fingerprint(path: string): string {
  let stats: BigIntStats
  try {
    stats = statSync(path, { bigint: true })
  } catch (error) {
    return isErrno(error, 'ENOENT') ? 'absent' : 'unreadable'
  }
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':')
}
