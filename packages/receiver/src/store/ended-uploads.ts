/** Uploads that ended, with the answers that are given again: so many of each host, the oldest make way. */
import type { HostName } from '@cis490/shared/ids.ts'
import type { Upload } from './upload.ts'

/** Ended uploads of one host whose answers are kept. */
export const endedPerHost = 1000

export class EndedUploads {
  readonly #perHost: number
  readonly #all = new Map<string, Upload>()
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

  /** @returns those of its host that have to make way, the oldest first */
  add(upload: Upload): Upload[] {
    this.#all.set(upload.name, upload)
    const { host } = upload.state
    const ofHost = this.#ofHost.get(host) ?? new Set()
    this.#ofHost.set(host, ofHost.add(upload))
    const surplus = ofHost.size - this.#perHost
    if (surplus <= 0) return []
    const others = [...ofHost].filter((one) => one !== upload && !one.busy)
    return others.sort((a, b) => (a.state.expires_at < b.state.expires_at ? -1 : 1)).slice(0, surplus)
  }

  delete(upload: Upload): void {
    this.#all.delete(upload.name)
    const ofHost = this.#ofHost.get(upload.state.host)
    ofHost?.delete(upload)
    if (ofHost?.size === 0) this.#ofHost.delete(upload.state.host)
  }
}
