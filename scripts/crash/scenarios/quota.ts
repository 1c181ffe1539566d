/** Second copies make room for what is new: each has its tombstone before it goes. */
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { checkAgent, restartAgent, shipOnce } from '../agent/check.ts'
import { besideReceiver, paths, placeReceiver, prepareHost, settle } from '../agent/place.ts'
import { commits } from '../receiver/place.ts'
import type { Finding, Place, Scenario } from '../scenario.ts'

const keep = { ship: { keep_shipped: 1 << 30 } }
const crowded = { ...keep, quota: { bytes: 30_000, policy: 'drop-oldest-delivered' } }
const copies = ['first', 'second', 'third']

/** I9 for second copies: gone only with a word about it. */
function look(place: Place): Finding[] {
  const { episodes, state } = paths(place)
  const path = join(state, 'tombstones.jsonl')
  const tombstones = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return copies
    .filter((id) => !existsSync(join(episodes, id)) && !existsSync(join(episodes, `.deleting-${id}`)))
    .filter((id) => !tombstones.includes(`"id":"${id}"`))
    .map((id) => ({ kind: 'lost', detail: `the second copy of ${id} is gone without a tombstone` }))
}

/** The recovery form goes on with a copy of the disk. Second copies are newer than their delivery there: they stay, and somebody has to make room. */
function wereCopied(place: Place): boolean {
  const { episodes, state } = paths(place)
  const newest = new Map(
    readLines(join(state, 'packed.jsonl')).map(({ id, newest_change_ns: ns }) => [String(id), BigInt(String(ns))]),
  )
  const changed = (id: string) => statSync(join(episodes, id, 'telemetry.bin'), { bigint: true }).ctimeNs > (newest.get(id) ?? 0n)
  const left = copies.filter((id) => existsSync(join(episodes, id)) && newest.has(id))
  return left.length > 0 && left.every(changed)
}

function readLines(path: string): Record<string, unknown>[] {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return text.split('\n').flatMap((line) => {
    const row = parseObject(line)
    return row ? [row] : []
  })
}

export const quota: Scenario = {
  name: 'quota',
  side: 'agent',
  exclude: ['agent.lock'],
  prepare: (place) =>
    prepareHost(place, [
      ...copies.map((id) => ({ id, fate: 'delivered' as const, commit: commits[0], bytes: 8000 })),
      { id: 'fresh', fate: 'delivered', commit: commits[1], bytes: 9000 },
    ]),
  work: async (place, _, begin) => {
    placeReceiver(place)
    await besideReceiver(place, async (url) => {
      // Not finished yet: its meta.json is older than what is still being written.
      const telemetry = join(paths(place).episodes, 'fresh/telemetry.bin')
      utimesSync(telemetry, Date.now() / 1000, Date.now() / 1000)
      await shipOnce(place, url, keep)
      utimesSync(telemetry, 1_700_000_000, 1_700_000_000)
      settle(place)
      begin()
      await shipOnce(place, url, crowded)
    })
  },
  restart: (place) => restartAgent(place, crowded),
  check: (place, checked) => checkAgent(place, checked, { more: wereCopied(place) ? keep : crowded, look }),
}
