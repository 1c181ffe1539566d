/** The outbox's tree: every file name in it is made and understood here (drawn in entry.ts). */
import { EpisodeId } from '@cis490/shared/ids.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'

export const sidecarSuffix = '.json'
export const partSuffix = '.part'
/** Of the file that holds room for bookkeeping. */
export const reserveName = '.reserve'
/** Of a sidecar that is being replaced. */
export const tempSuffix = `${sidecarSuffix}.tmp`

export function archiveName(id: EpisodeId): string {
  return `${id}${archiveSuffix}`
}

export function sidecarName(id: EpisodeId): string {
  return `${id}${sidecarSuffix}`
}

/** What a name in the outbox stands for. Names that are none of ours are `foreign` and never touched. */
export type OutboxFile =
  | { readonly kind: 'part'; readonly name: string }
  | { readonly kind: 'archive' | 'sidecar' | 'sidecar-temp'; readonly name: string; readonly id: EpisodeId }
  | { readonly kind: 'foreign'; readonly name: string }

export function readName(name: string): OutboxFile {
  if (name.endsWith(partSuffix)) return { kind: 'part', name }
  const suffixes = [
    ['archive', archiveSuffix] as const,
    ['sidecar', sidecarSuffix] as const,
    ['sidecar-temp', tempSuffix] as const,
  ]
  for (const [kind, suffix] of suffixes) {
    if (!name.endsWith(suffix)) continue
    const id = EpisodeId.safeParse(name.slice(0, -suffix.length))
    if (id.success) return { kind, name, id: id.data }
  }
  return { kind: 'foreign', name }
}
