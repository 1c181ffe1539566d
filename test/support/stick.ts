/** A stick with an export on it, made by the agent's own code, and its import into a receiver of this process. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ExportEntry, ExportManifest, manifestName } from '@cis490/shared/export-manifest.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { HostFolder } from '../../packages/agent/src/stick/stick.ts'
import { AdminClient } from '../../packages/receiver/src/admin/client.ts'
import { type EntryOutcome, importExport, verifyExport } from '../../packages/receiver/src/commands/import-export.ts'
import { PeerCheck } from '../../packages/receiver/src/http/peer.ts'
import { exportPeerOptions } from '../../packages/receiver/src/material.ts'
import { episode } from './archives.ts'
import type { IssuedFiles } from './pki.ts'
import type { TestReceiver } from './receiver.ts'
import { scratchDir } from './scratch.ts'

let ids = 0

export class TestStick {
  readonly dir = scratchDir()
  readonly folder = join(this.dir, 'lab-07')
  readonly manifest = join(this.folder, manifestName)
  readonly receipts = join(this.dir, 'receipts', 'lab-07')
  readonly #receiver: TestReceiver

  constructor(receiver: TestReceiver) {
    this.#receiver = receiver
  }

  archive(id: string): string {
    return join(this.folder, `${id}.tar.zst`)
  }

  /** New episodes, as `cis490-agent export` leaves them. @param made epoch milliseconds. @returns their ids */
  async export({
    by = this.#receiver.pki.host,
    count = 1,
    made = Date.now(),
    commit = this.#receiver.site.head,
  }: {
    by?: IssuedFiles
    count?: number
    made?: number
    commit?: string
  } = {}): Promise<string[]> {
    const out = await HostFolder.open(this.dir, 'lab-07')
    const entries: ExportEntry[] = []
    const source = scratchDir()
    for (let k = 0; k < count; k++) {
      ids += 1
      const id = `ep-${ids}`
      const bytes = episode(id, commit)
      writeFileSync(join(source, id), bytes)
      const known = { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length }
      await out.copy(join(source, id), `${id}.tar.zst`, known, () => undefined, new AbortController().signal)
      entries.push({ id, ...known, commit, file: `${id}.tar.zst` } as ExportEntry)
    }
    const manifest = { format: 'cis490-export-1', host: 'lab-07', created_at: timestamp(made), entries }
    await out.writeManifest(ExportManifest.parse(manifest), { key: by.keyPem, cert: by.certPem })
    return entries.map(({ id }) => id)
  }

  /** Whose it is, or the fault. */
  async verdict(peers = this.peers()): Promise<string> {
    const found = await verifyExport(this.folder, peers, Date.now())
    return 'fault' in found ? found.fault : `export of ${found.host}`
  }

  peers(more: { hostsFile?: string } = {}): PeerCheck {
    return new PeerCheck({ ...exportPeerOptions(this.#receiver.config), ...more })
  }

  async import(): Promise<Record<string, EntryOutcome>> {
    const verified = await verifyExport(this.folder, this.peers(), Date.now())
    if ('fault' in verified) throw new Error(verified.fault)
    const outcomes: Record<string, EntryOutcome> = {}
    await importExport(verified, {
      dir: this.dir,
      client: new AdminClient(join(this.#receiver.stateDir, 'admin.sock')),
      told: (entry, outcome) => {
        outcomes[entry.id] = outcome
      },
      onBytes: () => undefined,
      signal: new AbortController().signal,
    })
    return outcomes
  }
}
