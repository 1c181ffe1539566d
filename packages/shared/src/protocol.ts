/** Each word of the wire once: paths, header names, media types. Header names are lower-case, as Node gives them. */
export const header = {
  sha256: 'x-content-sha256',
  commit: 'x-cis490-code-commit',
  schemaVersion: 'x-cis490-schema-version',
  host: 'x-cis490-host',
  gate: 'x-cis490-gate',
  reprDigest: 'repr-digest',
  contentDigest: 'content-digest',
  location: 'location',
  retryAfter: 'retry-after',
  receiptSignature: 'x-cis490-receipt-signature',
  prefixSha256: 'x-cis490-prefix-sha256',
  uploadComplete: 'upload-complete',
  uploadOffset: 'upload-offset',
  uploadLength: 'upload-length',
  uploadLimit: 'upload-limit',
  uploadInterop: 'upload-draft-interop-version',
} as const

/** The version of draft-ietf-httpbis-resumable-upload that is spoken. */
export const interopVersion = '8'

export const mediaType = {
  archive: 'application/zstd',
  partialUpload: 'application/partial-upload',
  jsonLines: 'application/jsonl',
  problem: 'application/problem+json',
  json: 'application/json',
  pkcs7: 'application/pkcs7-mime',
  pkcs10: 'application/pkcs10',
} as const

export const archiveSuffix = '.tar.zst'
export const episodesPrefix = '/v1/episodes/'
export const uploadsPrefix = '/v1/uploads/'
export const bundlesPrefix = '/v1/bundles/'
export const estPrefix = '/.well-known/est/'
/** EST (RFC 7030). */
export const estPath = {
  cacerts: `${estPrefix}cacerts`,
  enroll: `${estPrefix}simpleenroll`,
  reenroll: `${estPrefix}simplereenroll`,
} as const
export const receiptKeysPath = '/v1/receipt-keys'
export const explainPath = '/v1/explain'
/** The list of stored episodes; a single one lies below `episodesPrefix`. */
export const episodeListPath = '/v1/episodes'

export function episodePath(id: string): string {
  return `${episodesPrefix}${id}${archiveSuffix}`
}

export function hostHealthPath(host?: string): string {
  return host === undefined ? '/v1/host-health' : `/v1/host-health/${host}`
}

export function heartbeatPath(host: string): string {
  return `/v1/hosts/${host}/heartbeat`
}

export function gatePath(commit?: string): string {
  return commit === undefined ? '/v1/gate' : `/v1/gate?commit=${encodeURIComponent(commit)}`
}
