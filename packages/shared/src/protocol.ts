/** Each word of the wire once: paths, header names, media types. Header names are lower-case, as Node gives them. */
export const header = {
  sha256: 'x-content-sha256',
  commit: 'x-cis490-code-commit',
  schemaVersion: 'x-cis490-schema-version',
  host: 'x-cis490-host',
  gate: 'x-cis490-gate',
  reprDigest: 'repr-digest',
  retryAfter: 'retry-after',
} as const

export const mediaType = {
  archive: 'application/zstd',
  problem: 'application/problem+json',
  json: 'application/json',
} as const

export const archiveSuffix = '.tar.zst'
export const episodesPrefix = '/v1/episodes/'

export function episodePath(id: string): string {
  return `${episodesPrefix}${id}${archiveSuffix}`
}

export function hostHealthPath(host?: string): string {
  return host === undefined ? '/v1/host-health' : `/v1/host-health/${host}`
}

export function gatePath(commit?: string): string {
  return commit === undefined ? '/v1/gate' : `/v1/gate?commit=${encodeURIComponent(commit)}`
}
