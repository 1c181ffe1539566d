/** What can be wrong with a store, each once: its kind, what it means, what cures it. Pure. */
import type { EpisodeKey } from './episode-key.ts'

interface Described {
  readonly title: string
  /** What a repair does about it, or what a person has to do. */
  readonly cure: string
}

const rebuilt = '--repair writes the index anew and keeps the old one beside it'
const lost = '--repair writes the episode down in losses.jsonl and frees its id, so that its host can send it again'
const contradicted =
  '--repair reads it: an archive that is whole stays, and its records are mended; a damaged one is kept in quarantine/, written down in losses.jsonl, and its id is free again'

export const findings = {
  'torn-tail': {
    title: 'a file of rows ends inside a row',
    cure: 'the next start, or --repair, cuts it off: nobody was told of it',
  },
  'damaged-row': { title: 'a line of the index is no row', cure: rebuilt },
  'broken-chain': {
    title: 'a row does not follow the line before it: something was removed, edited or put in',
    cure: rebuilt,
  },
  'duplicate-row': { title: 'an episode has a second row', cure: rebuilt },
  'misnamed-row': {
    title: 'a row that names another episode than the archive that it speaks of: nothing is lost',
    cure: rebuilt,
  },
  'row-without-archive': { title: 'a row whose archive is gone: the episode is lost here', cure: lost },
  'archive-without-row': {
    title: 'an archive that the index does not know',
    cure: 'the next start, or --repair, gives it the row from its receipt',
  },
  'archive-without-sidecar': {
    title: 'an archive without its receipt',
    cure: '--repair writes it from the row; without a row it makes one from meta.json, as backfill does',
  },
  'sidecar-damaged': { title: 'a receipt that is none', cure: '--repair writes it from the row' },
  'sidecar-without-archive': {
    title: 'a receipt without its archive',
    cure: 'of an upload that never ended: the next start removes it. Of an episode that was stored: its archive is lost; --repair writes that down and keeps the receipt in quarantine/',
  },
  'sidecar-differs': {
    title: 'a receipt that is not what the row says',
    cure: '--repair takes what agrees with the archive and writes the other anew',
  },
  'wrong-size': { title: 'an archive of another size than its receipt says', cure: contradicted },
  'wrong-hash': { title: 'an archive with other bytes than its receipt says', cure: contradicted },
  'prune-unfinished': {
    title: 'a pruned episode whose archive is still there',
    cure: 'the next start, prune, or --repair removes the archive',
  },
  'pruned-without-row': { title: 'a pruned episode that the index does not know', cure: '--repair gives it the row' },
  'pruned-without-sidecar': { title: 'a pruned episode without its receipt', cure: '--repair writes it from the row' },
  stranger: { title: 'a file that does not belong there', cure: '--repair moves it to quarantine/' },
  'leftover-body': { title: 'a body that never became an episode', cure: 'the next start, or --repair, removes it' },
  'damaged-upload': {
    title: 'an open upload whose two files do not agree',
    cure: 'the next start, or --repair, removes it; its host begins the upload anew',
  },
} as const satisfies Record<string, Described>

export type FindingKind = keyof typeof findings

export interface Finding {
  readonly kind: FindingKind
  /** Line of a file, or path below the state folder. */
  readonly at: string
  readonly detail: string
  /** The episode that it is about. */
  readonly key?: EpisodeKey
}

/** What may mean that data is gone; it is told first. */
export const mayBeLost: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'row-without-archive',
  'wrong-size',
  'wrong-hash',
  'sidecar-without-archive',
])

/** A receiver at work passes through these for a moment: they count only when they last. */
export const passing: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'torn-tail',
  'archive-without-row',
  'sidecar-without-archive',
  'row-without-archive',
  'prune-unfinished',
])
