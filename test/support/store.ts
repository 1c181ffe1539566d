/** A receiver's store in a temporary place, filled through its own code, and its commands as real processes. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName, timestamp } from '@cis490/shared/ids.ts'
import { encodeReceipt, Receipt } from '@cis490/shared/receipt.ts'
import { Episodes } from '../../packages/receiver/src/store/episodes.ts'
import { IndexLog } from '../../packages/receiver/src/store/index-log.ts'
import { type EpisodeKey, StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { episode } from './archives.ts'
import { type Finished, runToEnd } from './program.ts'
import { scratchDir } from './scratch.ts'

export const storedCommit = '0123456789abcdef0123456789abcdef01234567'

export class TestStore {
  readonly layout: StoreLayout
  readonly config: string

  constructor() {
    const root = scratchDir()
    this.layout = new StoreLayout(join(root, 'state'))
    this.config = join(root, 'receiver.toml')
    mkdirSync(this.layout.incoming, { recursive: true })
    writeFileSync(
      this.config,
      `state_dir = "${this.layout.root}"\nlisten = "127.0.0.1:0"\nops_listen = "127.0.0.1:0"\n[version_gate]\nmode = "off"\n`,
    )
  }

  key(id: string, host = 'lab-07'): EpisodeKey {
    return { id: EpisodeId.parse(id), host: HostName.parse(host) }
  }

  /** Stores an episode as an upload does. @param withRow false: the receiver died before its row */
  put(id: string, withRow = true): Promise<Receipt> {
    return this.putBytes(id, episode(id, storedCommit), withRow)
  }

  /** The same with any bytes. */
  async putBytes(id: string, bytes: Buffer, withRow = true): Promise<Receipt> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const common = { bytes: bytes.length, commit: storedCommit, received_at: timestamp(Date.now()) }
    const receipt = Receipt.parse({ ...this.key(id), sha256, ...common })
    const temp = join(this.layout.incoming, randomUUID())
    writeFileSync(`${temp}.part`, bytes)
    writeFileSync(`${temp}.json`, encodeReceipt(receipt))
    await new Episodes(this.layout).publish(receipt, { archive: `${temp}.part`, sidecar: `${temp}.json` })
    if (withRow) {
      await using index = await IndexLog.open(this.layout.index)
      await index.append(receipt)
      for (const path of [`${temp}.part`, `${temp}.json`]) unlinkSync(path)
    }
    return receipt
  }

  indexText(): string {
    return readFileSync(this.layout.index, 'utf8')
  }

  rows(): Record<string, unknown>[] {
    return this.indexText()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  run(command: string, ...args: string[]): Promise<Finished> {
    return runToEnd('receiver', [command, '--config', this.config, ...args])
  }
}

/** What `fsck` or `backfill` printed as JSON. */
export function printed(run: Finished): Record<string, unknown> & { findings: { kind: string; at: string }[] } {
  return JSON.parse(run.stdout) as Record<string, unknown> & { findings: { kind: string; at: string }[] }
}
