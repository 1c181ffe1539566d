/** What an upload says of itself in its headers, read once, in the order of the protocol. */
import { CommitSha, type EpisodeId, Sha256 } from '@cis490/shared/ids.ts'
import type { ProblemCode, ProblemMembers } from '@cis490/shared/problems.ts'
import { header } from '@cis490/shared/protocol.ts'

export type HeaderRecord = Readonly<Record<string, string | string[] | undefined>>

export interface Claim {
  readonly id: EpisodeId
  readonly sha256: Sha256
  /** As sent; the gate judges it. */
  readonly stamp: string | undefined
  readonly length: number | undefined
  readonly schemaVersion: string | undefined
  readonly agentVersion: string | undefined
  readonly ifNoneMatch: boolean
  readonly expectsContinue: boolean
}

export interface Refused {
  readonly code: ProblemCode
  readonly detail: string
  readonly members?: ProblemMembers
}

/** `Content-Range`, `Content-Encoding`, then the hash headers: the first that is wrong refuses. */
export function readClaim(id: EpisodeId, headers: HeaderRecord): Claim | Refused {
  const text = (name: string) => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  if (text('content-range') !== undefined)
    return { code: 'partial-put', detail: 'Content-Range is not taken on PUT (RFC 9110 section 14.5)' }
  const encoding = text('content-encoding')?.trim().toLowerCase()
  if (encoding && encoding !== 'identity')
    return {
      code: 'content-encoding',
      detail: 'send the archive as it is, with Content-Type: application/zstd and no Content-Encoding',
    }
  const sent = text(header.sha256)
  if (sent === undefined || sent.trim() === '')
    return { code: 'sha256-missing', detail: 'send X-Content-SHA256 with the SHA-256 of the body in hex' }
  const sha256 = Sha256.safeParse(sent.trim())
  if (!sha256.success) return { code: 'sha256-malformed', detail: 'X-Content-SHA256 has to be 64 hexadecimal digits' }
  const digest = readDigest(text(header.reprDigest))
  if (digest !== undefined && digest !== sha256.data)
    return { code: 'digest-disagree', detail: 'Repr-Digest sha-256 and X-Content-SHA256 name different hashes' }
  const length = text('content-length')
  return {
    id,
    sha256: sha256.data,
    stamp: text(header.commit)?.trim(),
    length: length === undefined ? undefined : Number(length),
    schemaVersion: cleanText(text(header.schemaVersion)),
    agentVersion: /^cis490-agent\/([0-9A-Za-z.+-]{1,64})/.exec(text('user-agent') ?? '')?.[1],
    ifNoneMatch: text('if-none-match')?.trim() === '*',
    expectsContinue: text('expect')?.trim().toLowerCase() === '100-continue',
  }
}

export function isRefused<T>(value: T | Refused): value is Refused {
  return typeof value === 'object' && value !== null && 'code' in value && 'detail' in value
}

/** `sha-256=:<base64>:` of RFC 9530. @returns hex; undefined without one; 'malformed' where it cannot be read */
export function readDigest(value: string | undefined): string | undefined {
  const match = /(?:^|,)\s*sha-256\s*=\s*([^,]*)/i.exec(value ?? '')
  if (!match) return undefined
  const base64 = /^:([A-Za-z0-9+/]{43}=):\s*(?:;.*)?$/.exec((match[1] as string).trim())?.[1]
  if (base64 === undefined) return 'malformed'
  return Array.from(atob(base64), (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('')
}

/** The commit that goes into a row, when the stamp is one. */
export function stampedCommit(stamp: string | undefined): CommitSha | undefined {
  return stamp === undefined ? undefined : CommitSha.safeParse(stamp).data
}

function cleanText(text: string | undefined): string | undefined {
  const trimmed = text?.trim()
  return trimmed === undefined || trimmed === '' ? undefined : trimmed.slice(0, 128)
}
