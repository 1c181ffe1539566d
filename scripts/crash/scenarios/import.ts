/** A stick with archives of a host: each is stored as an upload is, and its receipt is written to the stick. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ExportManifest } from '@cis490/shared/export-manifest.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { AdminClient } from '../../../packages/receiver/src/admin/client.ts'
import { importExport, type VerifiedExport } from '../../../packages/receiver/src/commands/import-export.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { checkReceiver } from '../receiver/check.ts'
import { clientHost } from '../receiver/client.ts'
import { bodiesOf, commits, prepareBodies, prepareState, stateDir, withReceiver } from '../receiver/place.ts'
import type { Finding, Place, Scenario, Tell, Told } from '../scenario.ts'

const stick = (place: Place) => join(place.disk, 'stick')

/** What the host's signature is held against changes nothing on any disk; it is taken for granted. */
function exported(place: Place): VerifiedExport {
  const entries = bodiesOf(place).map(({ label: _, ...body }) => ({ ...body, file: `${body.id}.tar.zst` }))
  const made = { format: 'cis490-export-1', host: clientHost, created_at: '2026-01-01T00:00:00.000Z', entries }
  const manifest = ExportManifest.parse(made)
  return { folder: join(stick(place), clientHost), host: manifest.host, fingerprint: 'f'.repeat(64), manifest }
}

/** A receiver in trouble is asked again for a while; nobody has to wait for that here. */
class Impatient extends AdminClient {
  readonly ended = new AbortController()
  override async ask(...question: Parameters<AdminClient['ask']>): ReturnType<AdminClient['ask']> {
    const answer = await super.ask(...question)
    if (answer.status >= 500) this.ended.abort(new Error(`the receiver answered ${answer.status}`))
    return answer
  }
}

async function importAll(place: Place, tell: Tell): Promise<void> {
  const client = new Impatient(new StoreLayout(stateDir(place)).admin)
  await importExport(exported(place), {
    dir: stick(place),
    client,
    signal: client.ended.signal,
    onBytes: () => undefined,
    told: ({ id, sha256, commit }, { outcome }) => {
      const status = outcome === 'stored' ? 201 : 200
      if (outcome === 'stored' || outcome === 'already')
        tell({ kind: 'answer', id, sha256, commit, status, expected: [200, 201], receipt_sha256: sha256 })
    },
  })
}

/** Who was told that an episode is stored has its receipt on the stick. */
async function look(place: Place, told: readonly Told[]): Promise<Finding[]> {
  return told
    .filter(({ kind }) => kind === 'answer')
    .flatMap(({ id, sha256 }) => {
      const path = join(stick(place), 'receipts', clientHost, `${id}.json`)
      const receipt = existsSync(path) ? parseObject(readFileSync(path, 'utf8')) : undefined
      return receipt?.['sha256'] === sha256
        ? []
        : [{ kind: 'lost' as const, detail: `${id} is stored and the stick has no receipt of it` }]
    })
}

export const importScenario: Scenario = {
  name: 'import',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(
      place,
      ['one', 'two', 'three'].map((label) => ({ label, id: label, commit: commits[0] })),
    )
    const { folder, manifest } = exported(place)
    mkdirSync(folder, { recursive: true })
    for (const { id, file } of manifest.entries) await copyFile(join(place.aside, id), join(folder, file))
    await withReceiver(place, async () => undefined)
  },
  work: (place, tell, begin) =>
    withReceiver(place, async () => {
      begin()
      await importAll(place, tell)
    }),
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) =>
    checkReceiver(place, checked, {
      look: (_, __, { told }) => look(place, told),
      again: (_, __, tell) => importAll(place, tell),
    }),
}
