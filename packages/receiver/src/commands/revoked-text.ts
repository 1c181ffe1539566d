/** What `revoke` did, and what the host needs next. */
import { counted } from '@cis490/shared/counted.ts'
import type { IssuedRow } from '../ca/issued-log.ts'
import type { RevokedRow } from '../ca/revocations.ts'

type Shown = Pick<IssuedRow, 'fingerprint' | 'host' | 'not_after'>

export interface RevokeOutcome {
  readonly revoked: RevokedRow
  /** Whether the receiver's own CA knows what was named; true where it has none. */
  readonly on_record: boolean
  /** Of the receiver's own CA. */
  readonly certificates: readonly Shown[]
  /** Ids of join tokens that are taken away. */
  readonly tokens: readonly string[]
  /** What the same hosts have beside. */
  readonly left: readonly Shown[]
}

/** @param joins hosts join this receiver by token */
export function revokedText({ revoked, on_record, certificates, tokens, left }: RevokeOutcome, joins: boolean): string {
  const what = revoked.host ?? `certificate ${revoked.fingerprint}`
  const lines = [
    `revoked: ${what} (${counted(certificates.length, 'certificate')} of our CA, ${counted(tokens.length, 'token')}); requests are refused within a second`,
    ...certificates.map((one) => `  ${line(one)}`),
  ]
  if (!on_record)
    lines.push(
      `no certificate of that ${revoked.host === undefined ? 'fingerprint' : 'name'} is on record here: is it right? It is revoked all the same`,
    )
  const hosts = new Set(certificates.map(({ host }) => host))
  if (left.length > 0)
    lines.push(`still good: ${counted(left.length, 'other certificate')}`, ...left.map((one) => `  ${line(one)}`))
  for (const host of new Set(left.map((one) => one.host)))
    lines.push(`to throw the whole host out: cis490-receiver revoke ${host}`)
  if (revoked.host !== undefined) hosts.add(revoked.host)
  for (const host of hosts)
    lines.push(
      joins
        ? `to let ${host} in again: cis490-receiver token create --host ${host}`
        : `to let ${host} in again: a certificate of its CA that is made from now on`,
    )
  return lines.map((one) => `${one}\n`).join('')
}

function line({ fingerprint, host, not_after }: Shown): string {
  return `${fingerprint}  ${host}  until ${not_after}`
}
