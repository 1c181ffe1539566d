/** Servers that are Node programs of the benchmark: the textbook pipeline, and tus. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { npmPeer } from '../frame/npm-peer.ts'
import { freePort, type Peer, type PeerPlace, type RunningPeer, stopper, untilItListens } from './peer.ts'

export const naive: Peer = {
  name: 'naive node',
  missing: () => undefined,
  start: (place) => start(place, 'naive node', 'naive-server.ts', 'put'),
}

/** @returns the tus server; installed into the benchmark's own cache when it is not there yet */
export async function tusPeer(): Promise<Peer> {
  const got = await npmPeer('tus', ['@tus/server@2.4.5', '@tus/file-store@2.1.1'])
  return {
    name: 'tus',
    missing: () => ('reason' in got ? got.reason : undefined),
    start: (place) => start(place, 'tus', 'tus-server.ts', 'tus', 'folder' in got ? [got.folder] : []),
  }
}

async function start(
  { children, dir, certificates }: PeerPlace,
  name: string,
  program: string,
  upload: RunningPeer['upload'],
  more: readonly string[] = [],
): Promise<RunningPeer> {
  const store = join(dir, 'store')
  await makeDir(store)
  const port = await freePort()
  const main = fileURLToPath(new URL(program, import.meta.url))
  const { ca, server } = certificates
  const child = children.start(name, process.execPath, [main, String(port), store, ca, server.cert, server.key, ...more])
  await untilItListens(child, port)
  return { name, port, pids: [child.pid], store, upload, stop: stopper(child) }
}
