/** What a run found: from the programs' own words and from what the receiver has. */
import type { Summary } from './summary.ts'

export interface CertsResult extends Summary {
  readonly at: string
  readonly minutes: number
  readonly lifetime_s: number
}

export function describe(result: CertsResult): string {
  const { transfers, renewals, failures, minutes, lifetime_s } = result
  return [
    `${minutes.toFixed(1)} min, certificates of ${lifetime_s} s`,
    `transfers   ${transfers.small} small, ${transfers.large} large; ${transfers.across} ran while the certificate changed, ${transfers.resumed} were interrupted and went on`,
    `renewals    ${renewals.hosts} by hosts, ${renewals.receiver} by the receiver; ${renewals.certificates} certificates of hosts brought episodes`,
    `failures    ${failures.length}`,
    ...failures.slice(0, 20).map((one) => `  ${one}`),
  ].join('\n')
}
