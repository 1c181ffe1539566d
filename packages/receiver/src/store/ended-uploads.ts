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

  add(upload: Upload): void {
    this.#all.set(upload.name, upload)
    const { host } = upload.state
    const ofHost = this.#ofHost.get(host) ?? new Set()
    this.#ofHost.set(host, ofHost.add(upload))
  }

  /** Those of a host that have to make way: the oldest that nobody is at. */
  surplusOf(host: HostName): Upload[] {
    const ofHost = this.#ofHost.get(host) ?? new Set()
    const surplus = ofHost.size - this.#perHost
    if (surplus <= 0) return []
    const idle = [...ofHost].filter((one) => !one.busy)
    if (surplus > 1) return idle.sort(byEnd).slice(0, surplus)
    const [first] = idle
    return first ? [idle.reduce((oldest, one) => (byEnd(one, oldest) < 0 ? one : oldest), first)] : []
  }

  hosts(): Iterable<HostName> {
    return this.#ofHost.keys()
  }

  delete(upload: Upload): void {
    this.#all.delete(upload.name)
    const ofHost = this.#ofHost.get(upload.state.host)
    ofHost?.delete(upload)
    if (ofHost?.size === 0) this.#ofHost.delete(upload.state.host)
  }
}

/** ISO times sort as text. */
function byEnd(a: Upload, b: Upload): number {
  return a.state.expires_at < b.state.expires_at ? -1 : 1
}
