/** `cis490-receiver manifest --verify FILE`: does the store still have what the manifest says, and is all of it still good? */
import { stat } from 'node:fs/promises'
import { relative } from 'node:path'
import { counted } from '@cis490/shared/counted.ts'
import { type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { explainErrno } from '@cis490/shared/node/errno-text.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { ManifestEntry, ManifestHeader } from '../core/manifest.ts'
import { judgeEntry, type ManifestFinding, manifestFaults } from '../core/manifest-findings.ts'
import type { ListKnowledge } from '../store/episode-list.ts'
import { hashFile } from '../store/hash-file.ts'
import type { StoreLayout } from '../store/layout.ts'
import { readManifest } from '../store/read-manifest.ts'
import { openStore } from './store-pass.ts'

export async function verifyManifest(path: string, options: CommonOptions & { hashes?: true }): Promise<void> {
  const { layout, known } = openStore(options)
  const { header, items } = await readManifest(path).catch((error: unknown) => {
    throw new UserError(`--verify ${path}: ${explainErrno(error) ?? messageOf(error)}`)
  })
  const knowledge = await known()
  const findings: ManifestFinding[] = []
  const total = options.hashes ? header.bytes : header.count
  const bar = makeProgress({ label: 'verify', total, unit: options.hashes ? 'bytes' : 'count', stream: process.stderr })
  let [count, bytes] = [0, 0]
  for await (const { number, entry } of items) {
    if (entry) findings.push(...(await checkEntry(entry, layout, knowledge, options.hashes === true)))
    else findings.push({ kind: 'damaged-entry', at: `entry ${number}`, detail: path })
    count = number
    bytes += entry?.bytes ?? 0
    bar.update(options.hashes ? bytes : count)
  }
  bar.done()
  if (count !== header.count)
    findings.push({
      kind: 'wrong-count',
      at: path,
      detail: `${counted(count, 'entry', 'entries')}, its header says ${header.count}`,
    })
  if (options.json) printJson({ header, count, findings })
  else process.stdout.write(describe(header, count, findings))
  process.exitCode = findings.length === 0 ? exit.clean : exit.findings
}

async function checkEntry(
  entry: ManifestEntry,
  layout: StoreLayout,
  { taints, prunedBy }: ListKnowledge,
  hashes: boolean,
): Promise<ManifestFinding[]> {
  // The path of the store, not the one in the manifest: that may lead anywhere.
  const archive = layout.archive(entry)
  const size = await stat(archive).then(
    (info) => info.size,
    (error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    },
  )
  const sha256 = hashes && size === entry.bytes ? await hashFile(archive) : undefined
  const path = relative(layout.root, archive)
  return judgeEntry(entry, { path, size, sha256, tainted: taints.of(entry), pruned: prunedBy(entry) })
}

function describe(header: ManifestHeader, count: number, findings: readonly ManifestFinding[]): string {
  const lines = findings.map(({ kind, at, detail }) => `${printable(at)}: ${manifestFaults[kind]}: ${printable(detail)}\n`)
  return `${lines.join('')}${counted(count, 'entry', 'entries')} of ${header.generated_at}, ${counted(findings.length, 'finding')}\n`
}
