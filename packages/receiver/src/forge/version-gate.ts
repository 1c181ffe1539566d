/** The version gate as routes use it: commit set, rules and decision in one. */
import { join } from 'node:path'
import type { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { CommitSha, type HostName, timestamp } from '@cis490/shared/ids.ts'
import { readSecret } from '@cis490/shared/node/config-file.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { RemediationWords } from '@cis490/shared/remediation.ts'
import { type Denial, type GateQuestion, type GateVerdict, judge, judgeAgain, type Waiver } from '../core/gate.ts'
import type { VersionGateConfig } from './config.ts'
import { CommitHistory, type HistoryOptions, type HistoryState } from './history.ts'
import { RulesFile } from './rules-files.ts'

export type VersionGateOptions = Pick<HistoryOptions, 'now' | 'foundClone' | 'timeoutMs'>

export class VersionGate implements AsyncDisposable {
  readonly #config: VersionGateConfig
  readonly #history: CommitHistory | undefined
  readonly #deny: RulesFile<Denial>
  readonly #waivers: RulesFile<Waiver>
  readonly #words: RemediationWords
  readonly #now: () => number

  private constructor(
    config: VersionGateConfig,
    history: CommitHistory | undefined,
    rules: { deny: RulesFile<Denial>; waivers: RulesFile<Waiver> },
    now: () => number,
  ) {
    this.#config = config
    this.#history = history
    this.#deny = rules.deny
    this.#waivers = rules.waivers
    this.#words = { checkout: config.remediation_checkout, branch: config.branch, unit: config.remediation_unit }
    this.#now = now
  }

  /** Waits up to 5 s for a first commit set. Mode `off` asks no forge. @throws ConfigError for a token or rules file that cannot be used */
  static async start(
    config: VersionGateConfig,
    stateDir: string,
    log: Logger,
    options: VersionGateOptions = {},
  ): Promise<VersionGate> {
    const now = options.now ?? Date.now
    const rules = { deny: RulesFile.deny(config.deny_file, log, now), waivers: RulesFile.waivers(config.waivers_file, log, now) }
    const token = config.auth_token_file ? readSecret(config.auth_token_file, 'version_gate.auth_token_file') : undefined
    const cachePath = join(stateDir, 'gate-cache.json')
    const history = config.mode === 'off' ? undefined : await CommitHistory.start({ ...options, config, token, cachePath, log })
    const gate = new VersionGate(config, history, rules, now)
    if (!gate.ready())
      log.error(
        { mode: config.mode, branch: config.branch },
        'no commit set: uploads wait until the forge, git or the disk gives one',
      )
    return gate
  }

  /** Decides on one upload. An unknown commit waits up to 2 s for a fresh look at the branch. Never throws. */
  async ask({ stamp, host }: { stamp: string | undefined; host: HostName | undefined }): Promise<GateVerdict> {
    const commit = CommitSha.safeParse(stamp).data
    if (commit !== undefined) await this.#history?.refreshFor(commit)
    return judge(this.#question(stamp, host))
  }

  /** At the end of an upload that was accepted at its creation: the deny list as it is now, and nothing else. */
  askAgain(stamp: string | undefined, host: HostName): GateVerdict {
    return judgeAgain(this.#question(stamp, host))
  }

  #question(stamp: string | undefined, host: HostName | undefined): GateQuestion {
    return {
      stamp,
      host,
      window: this.#state().window,
      mode: this.#config.mode,
      deny: this.#deny.current(),
      waivers: this.#waivers.current(),
      now: this.#now(),
      words: this.#words,
    }
  }

  /** `GET /v1/gate` */
  status(): GateAnswer {
    const { window, source, fetchedAt, failures } = this.#state()
    return {
      mode: this.#config.mode,
      branch: this.#config.branch,
      head: window?.head ?? null,
      window: this.#config.window,
      size: window?.size ?? 0,
      fetched_at: fetchedAt === undefined ? null : timestamp(fetchedAt),
      age_s: fetchedAt === undefined ? null : Math.max(0, Math.round((this.#now() - fetchedAt) / 1000)),
      source: source ?? null,
      failures,
    }
  }

  /** `GET /v1/gate?commit=`; a malformed commit gets the verdict that its upload would get. */
  async answerFor(commit: string, host: HostName | undefined): Promise<GateAnswer> {
    const verdict = await this.ask({ stamp: commit, host })
    const status = this.status()
    const common = { ...status, head_commit: status.head }
    if (verdict.kind === 'accept')
      return { ...common, verdict: 'accept', ...(verdict.position === undefined ? {} : { position: verdict.position }) }
    const { code, members } = verdict
    const position = members.behind_by === undefined ? {} : { position: members.behind_by + 1 }
    const remediation = members.remediation === undefined ? {} : { remediation: members.remediation }
    return { ...common, verdict: code === 'gate-unavailable' ? 'unavailable' : 'refuse', code, ...position, ...remediation }
  }

  /** False only in mode `enforce` without a commit set. */
  ready(): boolean {
    return this.#config.mode !== 'enforce' || this.#state().window !== undefined
  }

  /** For the webhook: a push was announced. Does not throw; need not be awaited. */
  async refreshNow(): Promise<void> {
    await this.#history?.refreshNow()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#history?.[Symbol.asyncDispose]()
  }

  #state(): HistoryState {
    return this.#history?.current() ?? { failures: 0 }
  }
}
