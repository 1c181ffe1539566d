/** What an archive says of itself. */
import type { EpisodeMeta } from '@cis490/shared/episode.ts'

export interface Inspection {
  /** What is wrong; absent when it is an episode. */
  readonly fault?: string
  readonly dirty?: boolean
  readonly schemaVersion?: string
  /** Stamp of meta.json, as it stands there. */
  readonly commit?: string
}

export function inspectionOf({ code_version, schema_version }: EpisodeMeta): Inspection {
  return {
    ...(code_version?.dirty === undefined ? {} : { dirty: code_version.dirty }),
    ...(code_version?.commit === undefined ? {} : { commit: code_version.commit }),
    ...(schema_version === undefined ? {} : { schemaVersion: String(schema_version) }),
  }
}
