/**
 * Opens connections to the receiver and keeps the TLS session of the last one, so that coming back costs half a handshake.
 * undici holds its sessions weakly: a host that is quiet for a minute would have lost them to the collector.
 */
import { buildConnector } from 'undici'

export type Connect = buildConnector.connector

/** @param options as for `tls.connect`, and `timeout` in milliseconds for DNS, TCP and TLS together */
export function resumingConnector(options: buildConnector.BuildOptions): Connect {
  const connect = buildConnector(options)
  const held: { session?: Buffer } = {}
  return (target, callback) =>
    connect(target, (...made) => {
      const [, socket] = made
      // TLS 1.3 sends its tickets after the handshake, and new ones for each connection.
      socket?.on('session', (session: Buffer) => {
        held.session = session
      })
      callback(...made)
    })
}
