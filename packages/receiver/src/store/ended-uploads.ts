/** Uploads that ended, with the answers that are given again: so many of each host, the oldest make way. */
import { readFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { HostName } from '@cis490/shared/ids.ts'
import { removeFile } from '@cis490/shared/node/durable.ts'
import { isErrno, isSystemError } from '@cis490/shared/node/errno.ts'
import type { Upload } from './upload.ts'
import { parseUploadState, type UploadState } from './upload-state.ts'

/** Ended uploads of one host whose answers are kept. */
export const endedPerHost = 1000

export interface EndedOptions {
  readonly perHost: number
  /** Names of those that ended before this start: they are read when somebody asks, or with all the others. */
  readonly unread: Iterable<string>
  /** Where the state of an upload lies. */
  path(name: string): string
  /** An upload out of its state. */
  make(name: string, state: UploadState): Upload
}

export class EndedUploads {
  readonly #options: EndedOptions
  readonly #unread: Set<string>
  readonly #all = new Map<string, Upload>()
  readonly #ofHost = new Map<HostName, Set<Upload>>()

  constructor(options: EndedOptions) {
    this.#options = options
    this.#unread = new Set(options.unread)
  }

  /** @throws the system's error where the answer cannot be read */
  get(name: string): Upload | undefined {
    return this.#all.get(name) ?? this.#read(name)
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
    const surplus = ofHost.size - this.#options.perHost
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

  /** Reads what nobody has asked for, and removes what is no answer. What cannot be read or removed now is tried again the next time. */
  async readAll(signal?: AbortSignal): Promise<void> {
    for (const name of this.#unread) {
      if (signal?.aborted) return
      try {
        if (!this.#read(name)) {
          await removeFile(this.#options.path(name))
          this.#unread.delete(name)
        }
      } catch (error) {
        if (!isSystemError(error)) throw error
      }
      // There may be very many: requests go in between.
      await nextTurn()
    }
  }

  #read(name: string): Upload | undefined {
    if (!this.#unread.has(name)) return undefined
    const state = parseUploadState(readIfThere(this.#options.path(name)))
    if (state?.finished === undefined) return undefined
    this.#unread.delete(name)
    const upload = this.#options.make(name, state)
    this.add(upload)
    return upload
  }
}

/** ISO times sort as text. */
function byEnd(a: Upload, b: Upload): number {
  return a.state.expires_at < b.state.expires_at ? -1 : 1
}

/** @returns nothing where there is no such file. @throws the system's error for any other reason */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}
