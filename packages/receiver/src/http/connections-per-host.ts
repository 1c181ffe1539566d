/** Counts the open connections of each host. */
import type { Socket } from 'node:net'
import type { HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'

export class ConnectionsPerHost {
  readonly #limit: number
  readonly #sockets = new Map<HostName, Set<Socket>>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws Refusal rate when this connection is one too many */
  admit(host: HostName, socket: Socket): void {
    const open = this.#sockets.get(host) ?? new Set()
    if (open.has(socket)) return
    if (open.size >= this.#limit)
      throw new Refusal('rate', `this host has ${open.size} connections open`, {
        retry_after_s: 1 + Math.floor(Math.random() * 10),
      })
    open.add(socket)
    this.#sockets.set(host, open)
    socket.once('close', () => {
      open.delete(socket)
      if (open.size === 0) this.#sockets.delete(host)
    })
  }
}
