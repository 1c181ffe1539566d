/** The real receiver by its launcher: gate, inspection, sidecar and index as always. */
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { type Children, programs } from '../../scripts/local-fleet/children.ts'
import { writeReceiverConfig } from '../../scripts/local-fleet/configs.ts'
import { freePort, type Peer, type PeerPlace, type RunningPeer, stopper, untilItListens } from './peer.ts'

/** One load program stands for many hosts: the bounds for a single one are wider than as delivered. */
const limits = `connections = 20000
connections_per_host = 20000
bodies = 128
uploads_per_host = 128
`

interface RunningReceiver extends RunningPeer {
  readonly config: string
}

export const ours: Omit<Peer, 'start'> & { start(place: PeerPlace): Promise<RunningReceiver> } = {
  name: 'cis490',
  missing: () => undefined,
  async start({ children, dir, certificates, history }) {
    const { config, state } = await writeReceiverConfig(dir, certificates, history)
    const port = await freePort()
    await replaceFile(config, (await readFile(config, 'utf8')).replace('127.0.0.1:0', `127.0.0.1:${port}`))
    await appendFile(config, limits)
    const running = await serve(children, dir, config, port)
    return { name: 'cis490', port, ...running, store: join(state, 'episodes'), upload: 'put', config }
  },
}

/** Its log goes to a file, as the journal would take it, not through our own process. It listens when this returns. */
export async function serve(
  children: Children,
  dir: string,
  config: string,
  port: number,
): Promise<Pick<RunningPeer, 'pids' | 'stop'>> {
  const script = 'log=$1; shift; exec "$@" >>"$log" 2>&1'
  const args = ['-c', script, 'sh', join(dir, 'receiver.log'), programs.receiver, 'serve', '--config', config]
  const child = children.start('cis490', '/bin/sh', args)
  await untilItListens(child, port)
  return { pids: [child.pid], stop: stopper(child) }
}
