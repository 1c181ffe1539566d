/** Uploads that ended, with the answers that are given again: so many of each host, the oldest make way. */
import type { HostName } from '@cis490/shared/ids.ts'
import type { Upload } from './upload.ts'

/** Ended uploads of one host whose answers are kept. */
export const endedPerHost = 1000

export class EndedUploads {
  readonly #perHost: number
  readonly #all = new Map<string, Upload>()
  /** In the order of their ends. */
  readonly #ofHost = new Map<HostName, Set<Upload>>()

  constructor(perHost: number) {
    this.#perHost = perHost
  }

  get(name: string): Upload | undefined {
    return this.#all.get(name)
  }

  values(): Iterable<Upload> {
    return this.#all.values()
  }

  /** @returns the one that has to make way */
  add(upload: Upload): Upload | undefined {
    this.#all.set(upload.name, upload)
    const { host } = upload.state
    const ofHost = this.#ofHost.get(host) ?? new Set()
    this.#ofHost.set(host, ofHost.add(upload))
    return ofHost.size > this.#perHost ? ofHost.values().find((one) => one !== upload && !one.busy) : undefined
  }

  delete(upload: Upload): void {
    this.#all.delete(upload.name)
    const ofHost = this.#ofHost.get(upload.state.host)
    ofHost?.delete(upload)
    if (ofHost?.size === 0) this.#ofHost.delete(upload.state.host)
  }
}
