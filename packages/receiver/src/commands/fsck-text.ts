/** What `fsck` found and does, for a person. */
import { counted } from '@cis490/shared/counted.ts'
import { printable } from '@cis490/shared/printable.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import { type Finding, findings, mayBeLost } from '../core/finding.ts'
import type { LossRow } from '../core/loss.ts'
import type { RepairStep } from '../core/repair-plan.ts'

const shownOfOneKind = 20

/** Grouped by kind: what it means once, then where, then what cures it. */
export function describeFindings(found: readonly Finding[]): string {
  const kinds = [...new Set(found.map(({ kind }) => kind))]
  return kinds
    .toSorted((a, b) => Number(mayBeLost.has(b)) - Number(mayBeLost.has(a)))
    .map((kind) => {
      const those = found.filter((finding) => finding.kind === kind)
      const lines = those
        .slice(0, shownOfOneKind)
        .map(({ at, detail }) => `  ${printable(at)}${at.includes(detail) ? '' : `: ${printable(detail)}`}\n`)
      const hidden = those.length > shownOfOneKind ? `  and ${those.length - shownOfOneKind} more; --json lists all\n` : ''
      return `${kind}: ${findings[kind].title}\n${lines.join('')}${hidden}  cure: ${findings[kind].cure}\n`
    })
    .join('')
}

const now = { move: 'move', remove: 'remove', write: 'write', make: 'make', give: 'give', cut: 'cut', keep: 'keep' }
const past: typeof now = {
  move: 'moved',
  remove: 'removed',
  write: 'wrote',
  make: 'made',
  give: 'gave',
  cut: 'cut',
  keep: 'kept',
}

/** @param done what was done; else what would be. @param before the name that the old index has now */
export function describeStep(step: RepairStep, done = false, before = 'index.jsonl.before-TIME'): string {
  const name = 'key' in step ? `${step.key.host}/${step.key.id}` : ''
  const verb = done ? past : now
  switch (step.do) {
    case 'move-stranger':
      return `${verb.move} ${printable(step.at)} to quarantine/`
    case 'finish-prune':
      return `${verb.remove} the archive of ${name}, which was pruned`
    case 'write-receipt':
      return `${verb.write} the receipt of ${name} anew`
    case 'remove-receipt':
      return `${verb.remove} the receipt of ${name}, whose upload never ended`
    case 'backfill':
      return `${verb.make} a receipt for ${name} from its archive${step.otherwise && !done ? ', if all of it unpacks; else it is lost' : ''}`
    case 'lose':
      return `${verb.write} ${name} into losses.jsonl (${step.reason}) and ${verb.move} what is left of it to quarantine/`
    case 'append-row':
      return `${verb.give} ${name} its row`
    case 'rebuild-index':
      return `${verb.write} the index anew and ${verb.keep} the old one as ${before}`
    case 'cut-tail':
      return `${verb.cut} off the torn end of ${step.at}`
    case 'remove-leftover':
      return `${verb.remove} ${printable(step.at)}`
  }
}

/** Nobody may miss it: this is data that is gone here. */
export function describeLosses(lost: readonly LossRow[]): string {
  return lost
    .map(
      ({ host, id, reason, sha256, kept }) =>
        `LOST ${host}/${id}: ${reason}${sha256 === undefined ? '' : `, sha256 ${sha256}`}\n` +
        `  its host may have a second copy (paths.episodes, ship.keep_shipped); the id is free: it can be sent again\n` +
        kept.map((path) => `  what is left: ${printable(path)}\n`).join('') +
        (kept.some((path) => path.includes(archiveSuffix))
          ? `  to take it back as it is: copy it to a folder as ${id}${archiveSuffix}, then cis490-receiver backfill --adopt that folder --host ${host}\n`
          : ''),
    )
    .join('')
}

/** The last line of a look that found something: what to do now. @param certain whether the archives in doubt were read */
export function describeNext(found: readonly Finding[], lost: number, certain: boolean): string {
  if (found.length === 0) return ''
  const cost = lost === 0 ? '' : `; ${certain ? '' : 'up to '}${counted(lost, 'episode')} will be written off`
  return `next: stop cis490-receiver, then cis490-receiver fsck --repair${cost}\n`
}
