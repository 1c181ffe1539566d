/** Routing of episodes by the raw request target: nothing is decoded, so nothing can hide in an encoding. */
import { EpisodeId } from '@cis490/shared/ids.ts'
import { archiveSuffix, episodesPrefix } from '@cis490/shared/protocol.ts'

export type EpisodeTarget =
  | { readonly kind: 'other' }
  | { readonly kind: 'episode'; readonly id: EpisodeId }
  | { readonly kind: 'bad-id' | 'bad-suffix'; readonly detail: string }

/** @param target the raw path, a query included where the method has no use for one */
export function episodeTarget(target: string): EpisodeTarget {
  if (!target.startsWith(episodesPrefix)) return { kind: 'other' }
  const name = target.slice(episodesPrefix.length)
  const hasSuffix = name.endsWith(archiveSuffix)
  const id = EpisodeId.safeParse(hasSuffix ? name.slice(0, -archiveSuffix.length) : name)
  if (hasSuffix && id.success) return { kind: 'episode', id: id.data }
  if (id.success) return { kind: 'bad-suffix', detail: 'the path of an episode ends in .tar.zst' }
  return { kind: 'bad-id', detail: `${id.error.issues[0]?.message ?? 'the id is not valid'}; nothing is percent-decoded` }
}
