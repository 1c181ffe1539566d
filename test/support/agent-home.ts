/** An agent's folders and configuration in a temporary place, with recorded episodes. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export interface AgentHome {
  readonly root: string
  readonly episodes: string
  readonly outbox: string
  readonly state: string
  readonly config: string
}

/** @param toml appended to the configuration */
export function makeAgentHome(toml = ''): AgentHome {
  const root = mkdtempSync(join(tmpdir(), 'cis490-agent-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const [episodes, outbox, state] = ['episodes', 'outbox', 'state'].map((name) => join(root, name)) as [string, string, string]
  const config = join(root, 'lab-host.toml')
  mkdirSync(episodes)
  writeFileSync(
    config,
    `[receiver]\nurl = "http://127.0.0.1:1"\n[paths]\nepisodes = "${episodes}"\noutbox = "${outbox}"\nstate = "${state}"\n${toml}`,
  )
  return { root, episodes, outbox, state, config }
}

export const stamp = '0123456789abcdef0123456789abcdef01234567'

/** A finished episode: meta.json is written last. @returns its folder */
export function recordEpisode(
  home: AgentHome,
  id: string,
  files: Record<string, string | Uint8Array> = { 'telemetry.csv': '1,2,3\n' },
  meta = {},
): string {
  const folder = join(home.episodes, id)
  mkdirSync(folder, { recursive: true })
  for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, path), content)
  const text = JSON.stringify({ schema_version: 3, episode_id: id, code_version: { commit: stamp }, ...meta })
  writeFileSync(join(folder, 'meta.json'), text)
  for (const path of [...Object.keys(files), 'meta.json']) utimesSync(join(folder, path), 1_700_000_000, 1_700_000_000)
  return folder
}
