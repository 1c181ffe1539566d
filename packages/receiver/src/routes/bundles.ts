/** `GET` and `HEAD /v1/bundles/<commit>.tar.zst` on the raw Node request: what hosts without a registry update from. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { bundlesPrefix } from '@cis490/shared/protocol.ts'
import type { Bundles } from '../bundles/bundles.ts'
import { bundleCommit } from '../core/bundle-plan.ts'
import type { DrainLimits } from '../http/drain.ts'
import type { Peer } from '../http/peer.ts'
import { answerOf, drainUnread, refuse } from '../http/problem.ts'
import { type RawRoute, rawTarget } from './dispatch.ts'
import { sendFile } from './send-file.ts'

export interface BundlesPorts {
  readonly bundles: Pick<Bundles, 'open'>
  readonly log: Logger
  readonly drain: DrainLimits
  /** Certificate, then bearer. @throws Refusal */
  authenticate(request: IncomingMessage): Peer
  /** Why nobody is served now. */
  unavailable(): Refusal | undefined
}

export function bundlesRoute(ports: BundlesPorts): RawRoute {
  return { prefix: bundlesPrefix, serve: (request, response) => serveBundle(request, response, ports) }
}

/** Never throws. */
async function serveBundle(request: IncomingMessage, response: ServerResponse, ports: BundlesPorts): Promise<void> {
  try {
    await send(request, response, ports)
  } catch (error) {
    // Cut in the middle: the client sees that its length is not reached, and goes on with a range.
    if (response.headersSent || response.destroyed) {
      response.destroy()
      return
    }
    const answer = answerOf(error, ports.log)
    const allow = answer.status === 405 ? { allow: 'GET, HEAD' } : {}
    await refuse(request, response, answer, ports.drain, allow)
  }
}

async function send(request: IncomingMessage, response: ServerResponse, ports: BundlesPorts): Promise<void> {
  ports.authenticate(request)
  const closed = ports.unavailable()
  if (closed) throw closed
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw new Refusal('method-not-allowed', 'a bundle takes GET, HEAD; it is added with cis490-receiver bundle add')
  const commit = bundleCommit((rawTarget(request).split('?')[0] as string).slice(bundlesPrefix.length))
  if (commit === undefined) throw new Refusal('not-found', `a bundle is ${bundlesPrefix}<commit>.tar.zst, the commit whole`)
  await using found = await ports.bundles.open(commit)
  if (!found)
    throw new Refusal('not-found', `there is no bundle of ${commit} here`, {
      remediation: `on the receiver: scripts/bundle.sh ${commit}, then cis490-receiver bundle add ${commit}.tar.zst`,
    })
  drainUnread(request, response, ports.drain)
  await sendFile(request, response, { file: found.file, sha256: found.bundle.sha256, bytes: found.bundle.bytes })
}
