/** `<state_dir>/admin.sock`: plain HTTP for the operator's commands on this machine. Who may open the file may do what they do. */
import { chmod } from 'node:fs/promises'
import type { IncomingMessage, Server } from 'node:http'
import { HostName } from '@cis490/shared/ids.ts'
import { removeFile } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { socketPath } from '@cis490/shared/node/socket-path.ts'
import { header } from '@cis490/shared/protocol.ts'
import type { Peer } from './peer.ts'

/** On this socket alone: fingerprint of the certificate that the command has verified. */
export const fingerprintHeader = 'x-cis490-cert-fingerprint'

/** The caller holds the store's lock, so a socket file that is there is a dead one. Without the socket the receiver works all the same. */
export async function listenForOperator(server: Server, path: string, log: Logger): Promise<void> {
  try {
    await removeFile(path)
    const short = socketPath(path)
    server.once('close', () => short[Symbol.dispose]())
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(short.path, () => {
        server.off('error', reject)
        resolve()
      })
    })
    await chmod(path, 0o600)
    log.info({ event: 'admin-socket', path }, 'commands on this machine may connect')
  } catch (error) {
    log.warn({ path, reason: messageOf(error) }, 'no admin socket: commands that need a running receiver will not find it')
  }
}

/** The operator, speaking for the host that X-Cis490-Host names. */
export function operatorFor(request: IncomingMessage): Peer {
  const host = HostName.safeParse(request.headers[header.host]).data
  const fingerprint = request.headers[fingerprintHeader]
  return {
    ...(host !== undefined && { host }),
    ...(typeof fingerprint === 'string' && /^[0-9a-f]{64}$/.test(fingerprint) && { fingerprint }),
    reader: true,
    remote: 'admin.sock',
    via: host === undefined ? 'none' : 'header',
  }
}
