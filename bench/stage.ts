/** What every comparison of servers needs: certificates, a history for the gate, and the servers that take part, running. */
import { join } from 'node:path'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { type CertificateFiles, makeCertificates } from '../scripts/local-fleet/certificates.ts'
import { checkout } from '../scripts/local-fleet/children.ts'
import { findHistory, type History } from '../scripts/local-fleet/history.ts'
import { choose } from './frame/bench.ts'
import type { Place } from './frame/place.ts'
import type { LeftOut } from './frame/series.ts'
import { ours } from './peers/ours.ts'
import type { Peer, RunningPeer } from './peers/peer.ts'

export interface Stage {
  readonly place: Place
  readonly certificates: CertificateFiles
  readonly history: History
  readonly servers: readonly RunningPeer[]
  readonly left_out: readonly LeftOut[]
}

/** @param hosts names that get a client certificate. @param asked names of the peers; ours always takes part */
export async function setStage(
  place: Place,
  hosts: readonly string[],
  peers: readonly Peer[],
  asked: readonly string[] | undefined,
): Promise<Stage> {
  const certificates = await makeCertificates(join(place.dir, 'certificates'), hosts)
  const history = await findHistory(checkout, place.dir)
  const { take, left_out } = choose(peers, asked)
  const servers: RunningPeer[] = []
  for (const peer of [ours, ...take]) {
    const dir = join(place.dir, peer.name.replaceAll(/\W/g, '-'))
    await makeDir(dir)
    try {
      servers.push(await peer.start({ children: place.children, dir, certificates, history }))
    } catch (error) {
      if (peer === ours) throw error
      left_out.push({ name: peer.name, reason: `did not start: ${error instanceof Error ? error.message : String(error)}` })
    }
  }
  return { place, certificates, history, servers, left_out }
}
