/** Does `meta.json` agree with what the upload said? Pure. */
import { EpisodeMeta } from '@cis490/shared/episode.ts'
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'

export interface Expected {
  readonly id: EpisodeId
  readonly host: HostName
  readonly stamp: string | undefined
}

export type MetaVerdict = { readonly ok: true; readonly meta: EpisodeMeta } | { readonly ok: false; readonly detail: string }

export function judgeMeta(text: string, expected: Expected): MetaVerdict {
  const value = parseObject(text)
  if (!value) return { ok: false, detail: 'meta.json is not a JSON object' }
  const parsed = EpisodeMeta.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return { ok: false, detail: `meta.json: ${issue?.path.join('.')}: ${issue?.message}` }
  }
  const meta = parsed.data
  if (meta.episode_id !== expected.id) return { ok: false, detail: 'episode_id in meta.json is not the id of the path' }
  if (meta.host !== undefined && meta.host.toLowerCase() !== expected.host)
    return { ok: false, detail: `host in meta.json is not ${expected.host}, the host that sends it` }
  const commit = meta.code_version?.commit
  if (commit !== undefined && expected.stamp !== undefined && commit.toLowerCase() !== expected.stamp.toLowerCase())
    return { ok: false, detail: 'code_version.commit in meta.json is not the X-Cis490-Code-Commit of the upload' }
  return { ok: true, meta }
}
