/** The identifiers of the system. Parsing is the only way to get one, so a value of these types is safe in a path, a header and a log line. */
import { z } from 'zod'
import { hostNamePattern, lowerHostName } from './host-name.ts'

/** 1 to 128 of `[A-Za-z0-9._-]`, starting with a letter or digit, without `..`. */
export const EpisodeId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'an episode id is 1 to 128 of A-Z a-z 0-9 . _ -')
  .refine((id) => !id.includes('..'), 'an episode id has no ".."')
  .brand<'EpisodeId'>()
export type EpisodeId = z.infer<typeof EpisodeId>

/** Lower-cased DNS-like name, no wildcard, no `..` (it names a folder). */
export const HostName = z
  .string()
  .transform(lowerHostName)
  .pipe(
    z
      .string()
      .regex(hostNamePattern, 'a host name is letters, digits, dots and hyphens')
      .refine((name) => !name.includes('..'), 'a host name has no ".."'),
  )
  .brand<'HostName'>()
export type HostName = z.infer<typeof HostName>

/** 40 or 64 hexadecimal digits after lower-casing: a SHA-1 or SHA-256 git commit. */
export const CommitSha = z
  .string()
  .transform((sha) => sha.toLowerCase())
  .pipe(z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'a commit is 40 or 64 hexadecimal digits'))
  .brand<'CommitSha'>()
export type CommitSha = z.infer<typeof CommitSha>

/** 64 hexadecimal digits, lower-cased. */
export const Sha256 = z
  .string()
  .transform((sha) => sha.toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 is 64 hexadecimal digits'))
  .brand<'Sha256'>()
export type Sha256 = z.infer<typeof Sha256>

/** RFC 3339 UTC with milliseconds, as every time in a row or on the wire. */
export function timestamp(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
