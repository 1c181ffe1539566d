/** A row whose id or host was edited: it promises an episode of which nothing is there, with the hash of one that is. Pure. */

import type { EpisodeKey } from './episode-key.ts'
import type { EpisodeFacts, EpisodeVerdict } from './episode-state.ts'

/** @returns the hash in a row of which neither archive nor receipt is there */
export function hashOfPhantom({ rows, archive, sidecar, pruned }: EpisodeFacts): string | undefined {
  const [only, ...others] = rows
  if (!only || others.length > 0 || archive || pruned || sidecar.state !== 'missing') return undefined
  // An older receiver's row without its file stays what it is.
  return only.row.seq === undefined ? undefined : only.row.sha256
}

/** @returns the hash of an episode that has no row of its own: of its archive, or what its receipt says */
export function ownHash({ rows, archive, sidecar }: EpisodeFacts): string | undefined {
  if (rows.length > 0) return undefined
  return archive?.sha256 ?? (sidecar.state === 'good' ? sidecar.receipt.sha256 : undefined)
}

export function misnamed(owner: EpisodeKey): EpisodeVerdict {
  const detail = `its SHA-256 is that of ${owner.host}/${owner.id}`
  return { faults: [{ kind: 'misnamed-row', detail }], mend: { do: 'drop-row' } }
}
