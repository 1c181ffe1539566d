/** What `fsck` found and does, for a person. */
import { printable } from '@cis490/shared/printable.ts'
import { type Finding, findings } from '../core/finding.ts'
import type { LossRow } from '../core/loss.ts'
import type { RepairStep } from '../core/repair-plan.ts'

const shownOfOneKind = 20

/** Grouped by kind: what it means once, then where, then what cures it. */
export function describeFindings(found: readonly Finding[]): string {
  const kinds = [...new Set(found.map(({ kind }) => kind))]
  return kinds
    .map((kind) => {
      const those = found.filter((finding) => finding.kind === kind)
      const lines = those.slice(0, shownOfOneKind).map(({ at, detail }) => `  ${printable(at)}: ${printable(detail)}\n`)
      const hidden = those.length > shownOfOneKind ? `  and ${those.length - shownOfOneKind} more; --json lists all\n` : ''
      return `${kind}: ${findings[kind].title}\n${lines.join('')}${hidden}  cure: ${findings[kind].cure}\n`
    })
    .join('')
}

export function describeStep(step: RepairStep): string {
  const name = 'key' in step ? `${step.key.host}/${step.key.id}` : ''
  switch (step.do) {
    case 'move-stranger':
      return `move ${printable(step.at)} to quarantine/`
    case 'finish-prune':
      return `remove the archive of ${name}, which was pruned`
    case 'write-receipt':
      return `write the receipt of ${name} anew`
    case 'remove-receipt':
      return `remove the receipt of ${name}, whose upload never ended`
    case 'backfill':
      return `make a receipt for ${name} from its archive`
    case 'lose':
      return `write ${name} into losses.jsonl (${step.reason}) and move what is left of it to quarantine/`
    case 'append-row':
      return `give ${name} its row`
    case 'rebuild-index':
      return 'write the index anew and keep the old one as index.jsonl.before-<time>'
    case 'cut-tail':
      return `cut off the torn end of ${step.at}`
    case 'remove-leftover':
      return `remove ${printable(step.at)}`
  }
}

/** Nobody may miss it: this is data that is gone here. */
export function describeLosses(lost: readonly LossRow[]): string {
  return lost
    .map(
      ({ host, id, reason, sha256, kept }) =>
        `LOST ${host}/${id}: ${reason}${sha256 === undefined ? '' : `, sha256 ${sha256}`}\n` +
        `  its host may have a second copy (paths.episodes, ship.keep_shipped); the id is free: it can be sent again\n` +
        kept.map((path) => `  what is left: ${printable(path)}\n`).join(''),
    )
    .join('')
}
