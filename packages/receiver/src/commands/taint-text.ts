/** What `taint` says to a person. */
import type { TaintRow } from '@cis490/shared/taint.ts'
import type { TaintEffect, WriteVerdict } from '../core/taint-effect.ts'

export function describeTaint(row: TaintRow, effect: TaintEffect, verdict: WriteVerdict, dryRun: boolean): string {
  const what = `${row.kind} ${row.value}${row.host === undefined ? '' : ` of ${row.host}`}`
  const many = row.kind === 'range' ? ` (${row.commits?.length ?? 0} commits)` : ''
  const hosts = Object.entries(effect.hosts).map(([host, count]) => `${host || '(no host)'} ${count}`)
  const heading = {
    write: `${dryRun ? 'would be ' : ''}${row.state}: ${what}${many}: ${row.reason}`,
    'said-already': `${what} is ${row.state} already, for this reason; nothing written`,
    'nothing-to-undo': `${what} is not tainted; nothing written`,
  }[verdict]
  const touched = `${effect.episodes} stored ${effect.episodes === 1 ? 'episode' : 'episodes'}${hosts.length > 0 ? ` (${hosts.join(', ')})` : ''}`
  const turned = row.state === 'tainted' ? 'newly tainted' : 'no longer tainted'
  return `${heading}\n${touched}, ${effect.changed} ${turned}\n`
}
