/** One host's export: who signed it, then each archive by the way of every upload. */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { counted } from '@cis490/shared/counted.ts'
import { type ExportEntry, type ExportManifest, readManifest, signedText } from '@cis490/shared/export-manifest.ts'
import type { HostName } from '@cis490/shared/ids.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { verifiesWithKey } from '@cis490/shared/node/key-signature.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { episodePath, header, mediaType } from '@cis490/shared/protocol.ts'
import type { AdminClient } from '../admin/client.ts'
import { type ImportOutcome, importOutcome } from '../core/import-outcome.ts'
import { fingerprintHeader } from '../http/admin-socket.ts'
import { parsePem } from '../http/certificate.ts'
import type { PeerCheck } from '../http/peer.ts'
import { makeReceiptsFolder, openPlain, readManifestFile, writeReceipt } from '../stick/exports.ts'

export interface VerifiedExport {
  readonly folder: string
  readonly host: HostName
  readonly fingerprint: string
  readonly manifest: ExportManifest
}

/** @returns whose export this is, or why it is nobody's */
export async function verifyExport(
  folder: string,
  peers: PeerCheck,
  now: number,
): Promise<VerifiedExport | { readonly fault: string; readonly remediation?: string }> {
  const file = await readManifestFile(folder)
  if ('fault' in file) return { fault: `the manifest cannot be read: ${file.fault}` }
  const read = readManifest(file.text)
  if ('fault' in read) return { fault: `the manifest cannot be read: ${read.fault}` }
  const { manifest, line, signature } = read
  const [leaf, ...sent] = parsePem(signature.certificates.join('\n')) ?? []
  if (!leaf) return { fault: 'the certificate in the manifest cannot be read' }
  if (!verifiesWithKey(signedText(line), leaf.x509.publicKey, signature.signature))
    return { fault: 'the signature is not that of the certificate: the manifest was changed, or another host signed it' }
  try {
    const peer = peers.holder({ leaf, sent }, { now, madeAt: Date.parse(manifest.created_at) })
    if (peer.host === undefined || peer.fingerprint === undefined) return { fault: 'the certificate names no host' }
    if (peer.host !== manifest.host)
      return { fault: `the certificate is that of ${peer.host}, the manifest names ${manifest.host}` }
    return { folder, host: peer.host, fingerprint: peer.fingerprint, manifest }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { code, detail } = error.problem
    const remediation = 'renew the certificate of that host, and export again'
    return { fault: detail, ...(code === 'certificate-expired' && { remediation }) }
  }
}

export type EntryOutcome = ImportOutcome | { readonly outcome: 'missing' }

export interface ImportSink {
  /** The stick. */
  readonly dir: string
  readonly client: AdminClient
  told(entry: ExportEntry, outcome: EntryOutcome): void
  onBytes(bytes: number): void
  readonly signal: AbortSignal
}

/** @throws the fault of the stick or of the way to the receiver; what is stored until then has its receipt */
export async function importExport(verified: VerifiedExport, sink: ImportSink): Promise<void> {
  const receipts = await makeReceiptsFolder(sink.dir, verified.host)
  let attempts = patience
  for (const entry of verified.manifest.entries) {
    sink.signal.throwIfAborted()
    const outcome = await importEntry(verified, entry, receipts, sink, attempts)
    // What did not pass while one archive waited is not waited for again by each of the others.
    attempts = outcome.outcome === 'later' ? 1 : patience
    sink.told(entry, outcome)
  }
}

/** Attempts of one archive while the receiver is busy for moments. */
const patience = 6

async function importEntry(
  verified: VerifiedExport,
  entry: ExportEntry,
  receipts: string,
  sink: ImportSink,
  attempts: number,
): Promise<EntryOutcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await sendOnce(verified, entry, receipts, sink).catch(unreadable)
    if (outcome.outcome !== 'later' || outcome.again === undefined || attempt === attempts) return outcome
    await sleep(outcome.again * 1000, undefined, { signal: sink.signal })
  }
}

async function sendOnce(
  { folder, host, fingerprint }: VerifiedExport,
  entry: ExportEntry,
  receipts: string,
  sink: ImportSink,
): Promise<EntryOutcome> {
  await using archive = await openPlain(join(folder, entry.file))
  if (!archive) return { outcome: 'missing' }
  const { size } = await archive.stat()
  async function* body() {
    if (!archive) return
    for await (const chunk of archive.createReadStream({ autoClose: false, start: 0, highWaterMark: 1 << 20 })) {
      sink.signal.throwIfAborted()
      sink.onBytes((chunk as Buffer).length)
      yield chunk as Buffer
    }
  }
  const headers = {
    'content-type': mediaType.archive,
    'content-length': String(size),
    [header.sha256]: entry.sha256,
    [header.host]: host,
    [fingerprintHeader]: fingerprint,
    ...(entry.commit !== undefined && { [header.commit]: headerText(entry.commit) }),
    ...(entry.schema_version !== undefined && { [header.schemaVersion]: headerText(entry.schema_version) }),
  }
  const answer = await sink.client.ask('PUT', episodePath(entry.id), { headers, body })
  const outcome = importOutcome(answer.status, answer.body, entry.sha256)
  if (outcome.outcome === 'stored' || outcome.outcome === 'already') {
    const signature = answer.headers[header.receiptSignature]
    await writeReceipt(receipts, entry.file, answer.body, typeof signature === 'string' ? signature : undefined)
  }
  return outcome
}

/** One archive that the stick does not give back is not the end of the others. */
function unreadable(error: unknown): EntryOutcome {
  if (isErrno(error, 'EIO') && error.syscall === 'read')
    return { outcome: 'refused', code: 'unreadable', detail: `the stick does not give it back: ${error.message}` }
  throw error
}

/** A signed manifest can still hold anything. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 256)
}

/** For the log of an import. */
export function describeExport({ host, manifest }: VerifiedExport): string {
  return `${host}, ${counted(manifest.entries.length, 'episode')}, made ${timestamp(Date.parse(manifest.created_at))}`
}
