import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'

/** What names one episode: hosts cannot collide. */
export interface EpisodeKey {
  readonly host: HostName
  readonly id: EpisodeId
}
