/** What no longer holds of a manifest. */
import type { TaintMark } from '@cis490/shared/taint.ts'
import type { ManifestEntry } from './manifest.ts'

export const manifestFaults = {
  tainted: 'marked as bad since',
  pruned: 'taken out of the store since',
  missing: 'its archive is not there',
  'wrong-size': 'its archive has another size',
  'wrong-hash': 'its archive has other bytes',
  'wrong-path': 'the manifest names another file than the store has for it',
  'damaged-entry': 'a line of the manifest is no entry',
  'wrong-count': 'the manifest is not whole',
} as const
export type ManifestFault = keyof typeof manifestFaults

export interface ManifestFinding {
  readonly kind: ManifestFault
  /** `<host>/<id>`, or a line of the manifest. */
  readonly at: string
  readonly detail: string
}

export interface EntryFacts {
  /** Where the store keeps it, below the state folder. */
  readonly path: string
  /** undefined: there is no archive. */
  readonly size: number | undefined
  /** undefined: nobody has read it. */
  readonly sha256: string | undefined
  readonly tainted: TaintMark | undefined
  readonly pruned: { readonly at: string; readonly reason: string } | undefined
}

export function judgeEntry(entry: ManifestEntry, facts: EntryFacts): ManifestFinding[] {
  const at = `${entry.host}/${entry.id}`
  const { tainted, pruned } = facts
  const findings: ManifestFinding[] = []
  if (tainted) findings.push({ kind: 'tainted', at, detail: `${tainted.reason} (${tainted.by}, ${tainted.at})` })
  if (entry.path !== facts.path) findings.push({ kind: 'wrong-path', at, detail: `${entry.path}, not ${facts.path}` })
  if (pruned) findings.push({ kind: 'pruned', at, detail: `${pruned.reason} (${pruned.at})` })
  else if (facts.size === undefined) findings.push({ kind: 'missing', at, detail: facts.path })
  else if (facts.size !== entry.bytes)
    findings.push({ kind: 'wrong-size', at, detail: `${facts.size} bytes, the manifest says ${entry.bytes}` })
  else if (facts.sha256 !== undefined && facts.sha256 !== entry.sha256)
    findings.push({ kind: 'wrong-hash', at, detail: `it has ${facts.sha256}, the manifest says ${entry.sha256}` })
  return findings
}
