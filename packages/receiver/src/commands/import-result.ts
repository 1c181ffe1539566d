/** What an import did, as numbers, as text and as an exit code. */
import { exit } from '@cis490/shared/node/cli.ts'
import { printable, printableLines } from '@cis490/shared/printable.ts'
import type { EntryOutcome } from './import-export.ts'

interface NotStored {
  readonly id: string
  readonly code: string
  readonly detail: string
  readonly remediation?: string
}

export interface HostResult {
  readonly host: string
  readonly folder: string
  stored: number
  /** With these very bytes, before. */
  already: number
  readonly refused: NotStored[]
  /** Not refused for good: another import may store it. */
  readonly later: NotStored[]
  /** Named in the manifest, but not on the stick: the export was not finished, or the file was taken away. */
  readonly missing: string[]
}

export interface ImportResult {
  readonly hosts: HostResult[]
  /** Nothing of these was looked at: nobody knows whose they are. */
  readonly refused_exports: { folder: string; fault: string; remediation?: string }[]
}

export function tally(host: HostResult, id: string, outcome: EntryOutcome): void {
  if (outcome.outcome === 'stored') host.stored += 1
  else if (outcome.outcome === 'already') host.already += 1
  else if (outcome.outcome === 'missing') host.missing.push(id)
  else if (outcome.outcome === 'later') host.later.push({ id, code: outcome.code, detail: outcome.detail })
  else if (outcome.outcome === 'refused') {
    const { code, detail, remediation } = outcome
    host.refused.push({ id, code, detail, ...(remediation !== undefined && { remediation }) })
  }
}

export function importExit({ hosts, refused_exports }: ImportResult): number {
  if (refused_exports.length > 0 || hosts.some((host) => host.refused.length + host.missing.length > 0)) return exit.findings
  return hosts.some((host) => host.later.length > 0) ? exit.undetermined : exit.clean
}

export function describeImport({ hosts, refused_exports }: ImportResult, dir: string): string {
  const lines: string[] = []
  for (const { folder, fault, remediation } of refused_exports) {
    lines.push(`refused ${folder}: ${fault}`)
    if (remediation !== undefined) lines.push(`  ${remediation}`)
  }
  for (const host of hosts) {
    for (const { id, code, detail } of host.refused) lines.push(`refused ${host.host}/${id}: ${code}: ${detail}`)
    // Once each, as lines that can be pasted on that host.
    for (const text of new Set(host.refused.flatMap(({ remediation }) => remediation ?? [])))
      lines.push(`to mend it on ${host.host}:`, ...printableLines(text).map((line) => `  ${line}`))
    for (const { id, code, detail } of host.later) lines.push(`not now ${host.host}/${id}: ${code}: ${detail}`)
    for (const id of host.missing) lines.push(`missing ${host.host}/${id}: the manifest names it, but it is not on the stick`)
    const left = host.refused.length + host.later.length + host.missing.length
    lines.push(`${host.host}: ${host.stored} stored, ${host.already} were stored before, ${left} not stored`)
  }
  if (hosts.some(({ stored, already }) => stored + already > 0))
    lines.push(`receipts lie on the stick; on each host: cis490-agent import-receipts ${dir}`)
  return lines.map((line) => `${printable(line)}\n`).join('')
}
