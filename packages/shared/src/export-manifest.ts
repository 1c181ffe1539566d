/**
 * What lies on a stick between a host without a network and the receiver.
 *
 *     <dir>/<host>/manifest.jsonl       line 1 the manifest, line 2 the host's signature under it
 *     <dir>/<host>/<id>.tar.zst         the archives that it names
 *     <dir>/receipts/<host>/<id>.json   what the receiver gives to carry back: the receipt's exact bytes
 *     <dir>/receipts/<host>/<id>.json.sig   64 bytes of Ed25519, where receipts are signed
 *     <dir>/receipts/receipt-keys.json  as `GET /v1/receipt-keys`
 */
import { z } from 'zod'
import { EpisodeId, HostName, Sha256 } from './ids.ts'
import { parseObject } from './jsonl.ts'
import { archiveSuffix } from './protocol.ts'

export const manifestName = 'manifest.jsonl'
export const receiptsFolder = 'receipts'
export const receiptKeysName = 'receipt-keys.json'
export const signatureSuffix = '.sig'

export const ExportEntry = z.looseObject({
  id: EpisodeId,
  sha256: Sha256,
  bytes: z.int().nonnegative(),
  commit: z.string().optional(),
  schema_version: z.string().optional(),
  /** A plain name in the manifest's own folder. */
  file: z.string().regex(/^[A-Za-z0-9](?!.*\.\.)[A-Za-z0-9._-]{0,200}\.tar\.zst$/, 'not the name of an archive'),
})
export type ExportEntry = z.infer<typeof ExportEntry>

export const ExportManifest = z.looseObject({
  format: z.literal('cis490-export-1'),
  host: HostName,
  created_at: z.iso.datetime(),
  entries: z.array(ExportEntry),
})
export type ExportManifest = z.infer<typeof ExportManifest>

export const ManifestSignature = z.looseObject({
  /** Of the key in the first certificate; what it is does not decide. */
  algorithm: z.string(),
  signature: z.base64(),
  /** PEM: the host's own first, then what leads to an authority. */
  certificates: z.array(z.string()).min(1).max(8),
})
export type ManifestSignature = z.infer<typeof ManifestSignature>

/** What is signed. The first line keeps it apart from whatever else that key signs. */
export function signedText(manifestLine: string): string {
  return `cis490-export-1\n${manifestLine}`
}

export type ReadManifest =
  | { readonly manifest: ExportManifest; readonly line: string; readonly signature: ManifestSignature }
  | { readonly fault: string }

/** Shape only; the signature is not looked at. */
export function readManifest(text: string): ReadManifest {
  const [line = '', second = '', ...more] = text.replace(/\n$/, '').split('\n')
  if (more.length > 0) return { fault: 'it has more than two lines' }
  const manifest = ExportManifest.safeParse(parseObject(line))
  if (!manifest.success) return { fault: `its first line is no manifest: ${firstIssue(manifest.error)}` }
  const signature = ManifestSignature.safeParse(parseObject(second))
  if (!signature.success) return { fault: `its second line is no signature: ${firstIssue(signature.error)}` }
  return { manifest: manifest.data, line, signature: signature.data }
}

function firstIssue({ issues: [issue] }: z.ZodError): string {
  return issue && issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : 'not a JSON object of that form'
}

/** Where the receipt of an archive lies below `receipts/<host>`. */
export function receiptName(file: string): string {
  return `${file.slice(0, -archiveSuffix.length)}.json`
}
