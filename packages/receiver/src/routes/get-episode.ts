/** `GET` and `HEAD /v1/episodes/<id>.tar.zst`: the archive with its hash, ranges included. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { printable } from '@cis490/shared/printable.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import type { DrainLimits } from '../http/drain.ts'
import { drainUnread } from '../http/problem.ts'
import type { Episodes } from '../store/episodes.ts'
import { sendFile } from './send-file.ts'

/** @throws Refusal not-found, pruned */
export async function getEpisode(
  request: IncomingMessage,
  response: ServerResponse,
  key: { host: HostName; id: EpisodeId },
  { episodes, drain }: { readonly episodes: Episodes; readonly drain: DrainLimits },
): Promise<void> {
  const stored = await episodes.find(key)
  await using file = stored && (await episodes.openArchive(key))
  if (stored?.pruned) throw new Refusal('pruned', `taken out at ${stored.pruned.at}: ${printable(stored.pruned.reason)}`)
  if (!stored || !file) throw new Refusal('not-found', 'this episode is not stored here')
  drainUnread(request, response, drain)
  const { sha256, bytes } = stored.receipt
  await sendFile(request, response, { file, sha256, bytes })
}
