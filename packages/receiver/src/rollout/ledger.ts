/**
 * Which commit each host runs, since when, and which head the branch has had since when; over restarts.
 *
 *     <state_dir>/rollout.json
 */
import { readFile } from 'node:fs/promises'
import type { HeartbeatRow } from '@cis490/shared/heartbeat.ts'
import { CommitSha, timestamp } from '@cis490/shared/ids.ts'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Wave } from '@cis490/shared/rollout.ts'
import { z } from 'zod'

const time = z.iso.datetime().transform((text) => Date.parse(text))

const LedgerFile = z.object({
  head: CommitSha.optional(),
  head_seen_at: time.optional(),
  hosts: z.record(z.string(), z.object({ wave: Wave, commit: CommitSha.optional(), since: time, heard_at: time })),
})

export interface HeardHost {
  readonly wave: number
  readonly commit?: string | undefined
  /** First heard with this commit; epoch milliseconds, as all of these. */
  readonly since: number
  readonly heardAt: number
}

const day = 86_400_000
/** A host that is silent for longer holds nobody up any more. */
const forgetAfter = 7 * day
/** What changed is written soon; that hosts are still there, now and then. */
const soon = 1000
const nowAndThen = 60_000

export class Ledger implements AsyncDisposable {
  readonly #path: string
  readonly #log: Logger
  readonly #hosts: Map<string, HeardHost>
  #head: { readonly commit: string; readonly seenAt: number } | undefined
  #timer: { readonly due: number; readonly handle: NodeJS.Timeout } | undefined
  #turn: Promise<void> = Promise.resolve()
  #failing = false

  private constructor(path: string, log: Logger, known: z.infer<typeof LedgerFile>) {
    this.#path = path
    this.#log = log
    this.#hosts = new Map(
      Object.entries(known.hosts).map(([host, { heard_at, ...one }]) => [host, { ...one, heardAt: heard_at }]),
    )
    if (known.head !== undefined && known.head_seen_at !== undefined)
      this.#head = { commit: known.head, seenAt: known.head_seen_at }
  }

  /** Never throws for what the file holds: without it the times begin anew, which only holds updates back longer. */
  static async open(path: string, log: Logger): Promise<Ledger> {
    return new Ledger(path, log, await load(path, log))
  }

  /** @returns whether it is news: another wave or commit. @param now epoch milliseconds */
  hear(row: Pick<HeartbeatRow, 'host' | 'wave' | 'commit'>, now: number): boolean {
    const before = this.#hosts.get(row.host)
    // One that says no wave any more went back to an older agent: that does not let the later waves go.
    const wave = row.wave ?? before?.wave
    if (wave === undefined) return false
    const commit = CommitSha.safeParse(row.commit).data
    const same = before !== undefined && before.commit === commit
    // A clock that was set back: the times begin anew.
    const since = same && before.since <= now ? before.since : now
    this.#hosts.set(row.host, { wave, commit, since, heardAt: now })
    const news = !same || before.wave !== wave
    this.#save(news ? soon : nowAndThen)
    return news
  }

  /** The head of the branch as the gate knows it now. @returns when it was first seen; undefined where there is none */
  seen(head: string | undefined, now: number): number | undefined {
    if (head === undefined) return undefined
    if (this.#head?.commit !== head || this.#head.seenAt > now) {
      this.#head = { commit: head, seenAt: now }
      this.#save(soon)
    }
    return this.#head.seenAt
  }

  hosts(now: number): ReadonlyMap<string, HeardHost> {
    for (const [host, { heardAt }] of this.#hosts) if (now - heardAt > forgetAfter) this.#hosts.delete(host)
    return this.#hosts
  }

  get(host: string): HeardHost | undefined {
    return this.#hosts.get(host)
  }

  #save(within: number): void {
    const due = performance.now() + within
    if (this.#timer && this.#timer.due <= due) return
    clearTimeout(this.#timer?.handle)
    this.#timer = { due, handle: setTimeout(() => void this.#flush(), within).unref() }
  }

  #flush(): Promise<void> {
    clearTimeout(this.#timer?.handle)
    this.#timer = undefined
    this.#turn = this.#turn.then(() => this.#write())
    return this.#turn
  }

  async #write(): Promise<void> {
    try {
      await replaceFile(this.#path, `${JSON.stringify(this.#file())}\n`)
      this.#failing = false
    } catch (error) {
      if (!this.#failing)
        this.#log.warn({ path: this.#path, cause: messageOf(error) }, 'the state of the rollout cannot be written down')
      this.#failing = true
    }
  }

  #file(): object {
    const hosts = [...this.#hosts].map(([host, { wave, commit, since, heardAt }]) => {
      const row = { wave, commit, since: timestamp(since), heard_at: timestamp(heardAt) }
      return [host, row] as const
    })
    const head = this.#head && { head: this.#head.commit, head_seen_at: timestamp(this.#head.seenAt) }
    return { ...head, hosts: Object.fromEntries(hosts) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer) await this.#flush()
    await this.#turn
  }
}

async function load(path: string, log: Logger): Promise<z.infer<typeof LedgerFile>> {
  try {
    return LedgerFile.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (!isErrno(error, 'ENOENT'))
      log.warn({ path, cause: messageOf(error).slice(0, 200) }, 'the state of the rollout cannot be read; its times begin anew')
    return { hosts: {} }
  }
}
