/**
 * What became of the last attempt to fetch a certificate: for the next one, `status` and the doctor, in other processes.
 *
 *     agent/certificate.json
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { z } from 'zod'
import type { LastAttempt } from '../core/renewal-plan.ts'

export const FetchRecord = z.object({
  at: z.iso.datetime(),
  /** `fetched`, or the code of what went wrong. */
  outcome: z.string(),
  /** In one line, for a person. */
  message: z.string().optional(),
  /** Of the certificate that is in place: SHA-256, hexadecimal. */
  fingerprint: z.string(),
  fetched_at: z.iso.datetime().optional(),
  failures: z.int().nonnegative(),
  /** When the first of these attempts failed. */
  failing_since: z.iso.datetime().optional(),
  next_at: z.iso.datetime().optional(),
})
export type FetchRecord = z.infer<typeof FetchRecord>

function pathOf(stateDir: string): string {
  return join(stateDir, 'certificate.json')
}

/** @returns undefined where none was fetched, or nobody can tell */
export function readFetchRecord(stateDir: string): FetchRecord | undefined {
  try {
    return FetchRecord.safeParse(parseObject(readFileSync(pathOf(stateDir), 'utf8'))).data
  } catch {
    return undefined
  }
}

export async function writeFetchRecord(stateDir: string, record: FetchRecord): Promise<void> {
  await replaceFile(pathOf(stateDir), `${JSON.stringify(record)}\n`, 0o644)
}

/** What the plan asks for. */
export function lastAttempt(record: FetchRecord | undefined): LastAttempt | undefined {
  if (!record) return undefined
  const time = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text))
  const { fingerprint, failures } = record
  return { fingerprint, failures, fetched_at: time(record.fetched_at), next_at: time(record.next_at) }
}

export function fetchedRecord(fingerprint: string, now: number): FetchRecord {
  const at = timestamp(now)
  return { at, outcome: 'fetched', fingerprint, fetched_at: at, failures: 0 }
}

export interface Failure {
  readonly code: string
  readonly message: string
}

/** @param nextAt when the next attempt may come, epoch milliseconds */
export function failedRecord(
  before: FetchRecord | undefined,
  fingerprint: string,
  { code, message }: Failure,
  now: number,
  nextAt: number,
): FetchRecord {
  const same = before?.fingerprint === fingerprint ? before : undefined
  const at = timestamp(now)
  const fetched = same?.fetched_at === undefined ? {} : { fetched_at: same.fetched_at }
  const failing_since = same && same.failures > 0 ? (same.failing_since ?? same.at) : at
  const failures = (same?.failures ?? 0) + 1
  return { at, outcome: code, message, fingerprint, ...fetched, failures, failing_since, next_at: timestamp(nextAt) }
}
