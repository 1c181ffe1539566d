/** What a repair will do, in an order in which it may be killed after each step and run again. Pure. */
import type { Receipt } from '@cis490/shared/receipt.ts'
import type { EpisodeKey } from './episode-key.ts'
import type { EpisodeVerdict } from './episode-state.ts'
import type { Finding, FindingKind } from './finding.ts'

export type RepairStep =
  /** Paths are below the state folder. */
  | { readonly do: 'move-stranger'; readonly at: string }
  | { readonly do: 'finish-prune'; readonly key: EpisodeKey }
  | { readonly do: 'write-receipt'; readonly key: EpisodeKey; readonly text: string }
  | { readonly do: 'remove-receipt'; readonly key: EpisodeKey }
  | { readonly do: 'backfill'; readonly key: EpisodeKey; readonly otherwise?: Loss }
  | ({ readonly do: 'lose'; readonly key: EpisodeKey } & Loss)
  | { readonly do: 'rebuild-index' }
  | { readonly do: 'append-row'; readonly key: EpisodeKey }
  | { readonly do: 'cut-tail'; readonly at: string }
  | { readonly do: 'remove-leftover'; readonly at: string }

export interface Loss {
  readonly reason: FindingKind
  readonly detail: string
  readonly receipt?: Receipt
}

export interface Sick {
  readonly key: EpisodeKey
  readonly rows: number
  readonly verdict: EpisodeVerdict
}

export interface RepairInput {
  readonly ill: readonly Sick[]
  /** Findings about the lines of the index. */
  readonly index: readonly Finding[]
  readonly strangers: readonly string[]
  readonly tails: readonly Finding[]
  readonly leftovers: readonly Finding[]
}

export interface RepairPlan {
  readonly steps: readonly RepairStep[]
  /** What becomes of rows that do not stay, by `<host>/<id>`: the receipt instead, or nothing. */
  readonly changes: ReadonlyMap<string, Receipt | 'gone'>
  /** Receipts that get a row. */
  readonly added: readonly Receipt[]
}

const order: readonly RepairStep['do'][] = [
  'move-stranger',
  'finish-prune',
  'write-receipt',
  'remove-receipt',
  'backfill',
  'lose',
  'append-row',
  'rebuild-index',
  'cut-tail',
  'remove-leftover',
]

export function planRepair(input: RepairInput): RepairPlan {
  const changes = new Map<string, Receipt | 'gone'>()
  const added: Receipt[] = []
  const steps: RepairStep[] = []
  for (const sick of input.ill) {
    steps.push(...stepsFor(sick))
    const { mend } = sick.verdict
    const name = `${sick.key.host}/${sick.key.id}`
    if (mend.do === 'keep' && mend.row) {
      if (sick.rows > 0) changes.set(name, mend.receipt)
      else added.push(mend.receipt)
    }
    if ((mend.do === 'lose' || mend.do === 'backfill' || mend.do === 'drop-row') && sick.rows > 0) changes.set(name, 'gone')
  }
  // A row that is only missing is appended: what is there stays as it is.
  const rebuild = input.index.length > 0 || changes.size > 0
  if (rebuild) steps.push({ do: 'rebuild-index' })
  for (const at of input.strangers) steps.push({ do: 'move-stranger', at })
  for (const { at } of input.tails) steps.push({ do: 'cut-tail', at: at.replace(/:\d+$/, '') })
  for (const { at } of input.leftovers) steps.push({ do: 'remove-leftover', at })
  return { steps: steps.toSorted((a, b) => order.indexOf(a.do) - order.indexOf(b.do)), changes, added }
}

function stepsFor({ key, verdict }: Sick): RepairStep[] {
  const { faults, mend } = verdict
  const steps: RepairStep[] = faults.some(({ kind }) => kind === 'prune-unfinished') ? [{ do: 'finish-prune', key }] : []
  switch (mend.do) {
    case 'keep':
      if (mend.sidecar) steps.push({ do: 'write-receipt', key, text: mend.text })
      if (mend.row) steps.push({ do: 'append-row', key })
      break
    case 'lose':
      steps.push({ do: 'lose', key, ...lossOf(mend) })
      break
    case 'remove-sidecar':
      steps.push({ do: 'remove-receipt', key })
      break
    case 'backfill':
      steps.push({ do: 'backfill', key, ...(mend.otherwise && { otherwise: lossOf(mend.otherwise) }) })
      break
    case 'drop-row':
    case 'nothing':
  }
  return steps

  function lossOf({ reason, receipt }: { reason: FindingKind; receipt: Receipt | undefined }): Loss {
    const detail = faults.find(({ kind }) => kind === reason)?.detail ?? ''
    return { reason, detail, ...(receipt && { receipt }) }
  }
}
