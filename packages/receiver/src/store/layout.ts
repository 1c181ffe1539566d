/**
 * Every path of the store, drawn once.
 *
 *     <state_dir>/
 *       receiver.lock                     held by the process that writes here
 *       admin.sock                        for the operator's commands while a receiver runs
 *       incoming/<uuid>.part|.json        plain PUTs that run; empty when none does
 *       uploads/<u>.part                  what an open resumable upload has so far
 *       uploads/<u>.json                  its state: how much of that is synced; when it has ended, its answer
 *       episodes/<host>/<xx>/<id>.tar.zst published, immutable (xx: first two hex of sha256(id))
 *       episodes/<host>/<xx>/<id>.json    its sidecar: the receipt, linked before the archive
 *       index.jsonl                       a row an episode
 *       index.jsonl.before-<time>         what a repair replaced
 *       losses.jsonl                      what was promised once and is gone; append only
 *       quarantine/<host>/                what a repair took out of the store
 *       prunes.jsonl                      what was taken out on purpose, by whom and why; append only
 *       prunes.lock                       held by the command that writes it
 *       restore.json                      a restore that has not ended: nobody works here before it has
 *       rejects.jsonl                     one refused PUT a line
 *       taints.jsonl                      what is known to be wrong with stored episodes; append only
 *       taints.lock                       held by the command that writes it
 *       host-health/<host>.json           the last report, the bytes as sent
 *       report-journal/<n>.jsonl          reports whose own files are not synced yet
 *       heartbeats.jsonl                  a row a heartbeat; written in batches, not synced
 *       gate-cache.json                   last good commit set
 *       events/receiver.jsonl             when the receiver was there
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import type { EpisodeKey } from '../core/episode-key.ts'

export type { EpisodeKey }

/** As many as there may be bodies at once, and some. */
const keptNames = 512

export class StoreLayout {
  readonly root: string
  readonly episodes: string
  readonly reports: string
  /** Of the episodes that were asked for last: their paths are asked for again and again while they come in. */
  readonly #shelfNames = new Map<string, string>()

  constructor(root: string) {
    this.root = root
    this.episodes = join(root, 'episodes')
    this.reports = join(root, 'host-health')
  }
  get lock(): string {
    return join(this.root, 'receiver.lock')
  }
  /** Where commands find the running receiver. */
  get admin(): string {
    return join(this.root, 'admin.sock')
  }
  get incoming(): string {
    return join(this.root, 'incoming')
  }
  get uploads(): string {
    return join(this.root, 'uploads')
  }
  get index(): string {
    return join(this.root, 'index.jsonl')
  }
  get losses(): string {
    return join(this.root, 'losses.jsonl')
  }
  get quarantine(): string {
    return join(this.root, 'quarantine')
  }
  get prunes(): string {
    return join(this.root, 'prunes.jsonl')
  }
  get prunesLock(): string {
    return join(this.root, 'prunes.lock')
  }
  get restoring(): string {
    return join(this.root, 'restore.json')
  }
  get rejects(): string {
    return join(this.root, 'rejects.jsonl')
  }
  get taints(): string {
    return join(this.root, 'taints.jsonl')
  }
  get taintsLock(): string {
    return join(this.root, 'taints.lock')
  }
  get reportJournal(): string {
    return join(this.root, 'report-journal')
  }
  get heartbeats(): string {
    return join(this.root, 'heartbeats.jsonl')
  }
  get events(): string {
    return join(this.root, 'events')
  }
  report(host: HostName): string {
    return `${this.reports}/${host}.json`
  }
  /** Folder of an episode. */
  shelf({ host, id }: EpisodeKey): string {
    return `${this.episodes}/${host}/${this.#shelfNames.get(id) ?? this.#nameShelf(id)}`
  }
  #nameShelf(id: EpisodeId): string {
    if (this.#shelfNames.size >= keptNames) this.#shelfNames.clear()
    const name = shelfName(id)
    this.#shelfNames.set(id, name)
    return name
  }
  archive(key: EpisodeKey): string {
    return `${this.shelf(key)}/${key.id}.tar.zst`
  }
  sidecar(key: EpisodeKey): string {
    return `${this.shelf(key)}/${key.id}.json`
  }
}

/** Folder of an episode below its host's: 256 of them keep folders small. */
export function shelfName(id: EpisodeId): string {
  return hash('sha256', id).slice(0, 2)
}
