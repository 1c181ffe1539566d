/** The receiver as its own process, by the launcher that an installation links. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stringify } from 'smol-toml'
import type { Pki } from './pki.ts'
import type { Row, Settings, Site } from './receiver.ts'

const launcher = fileURLToPath(new URL('../../packages/receiver/bin/cis490-receiver', import.meta.url))
let configs = 0

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export class ReceiverProcess {
  readonly pki: Pki
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly lines: Row[] = []
  url = ''
  opsUrl = ''
  readonly #listening = Promise.withResolvers<void>()

  private constructor(child: ChildProcess, pki: Pki) {
    this.child = child
    this.pki = pki
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    if (child.stdout) createInterface(child.stdout).on('line', (line) => this.#heard(JSON.parse(line) as Row))
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.#listening.reject(new Error(`it ended before it listened: ${stderr}`))
      return { code, signal, stderr }
    })
    this.#listening.promise.catch(() => undefined)
  }

  /** Starts `serve` and does not wait. @param patch changes the text of receiver.toml */
  static async launch(site: Site, settings: Settings, patch = (toml: string) => toml): Promise<ReceiverProcess> {
    configs += 1
    const config = join(site.root, `receiver-${configs}.toml`)
    await writeFile(config, patch(stringify(site.settings(settings))))
    const { JOURNAL_STREAM: _, ...env } = process.env
    return new ReceiverProcess(
      spawn(launcher, ['serve', '--config', config], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
      site.pki,
    )
  }

  /** Starts `serve` and waits until it listens. */
  static async start(site: Site, settings: Settings): Promise<ReceiverProcess> {
    const started = await ReceiverProcess.launch(site, settings)
    await started.#listening.promise
    return started
  }

  #heard(row: Row): void {
    this.lines.push(row)
    if (row['event'] !== 'listening') return
    if (row['listener'] === 'receiver') this.url = String(row['url'])
    if (row['listener'] === 'ops') this.opsUrl = String(row['url'])
    if (this.url !== '' && this.opsUrl !== '') this.#listening.resolve()
  }

  /** @returns how it ended */
  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal)
    return await this.ended
  }
}
