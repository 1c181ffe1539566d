/** A server on a port of its own, gone with the test. */
import { once } from 'node:events'
import type http from 'node:http'
import type https from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** @returns the port, on 127.0.0.1 */
export async function listening(server: http.Server | https.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}
