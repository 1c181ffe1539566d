/** Counts the open connections of each host. Reading and reporting is never refused for it; uploads are. */
import type { Socket } from 'node:net'
import type { HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'

export class ConnectionsPerHost {
  readonly #limit: number
  readonly #sockets = new Map<HostName, Set<Socket>>()

  constructor(limit: number) {
    this.#limit = limit
  }

  note(host: HostName, socket: Socket): void {
    const open = this.#sockets.get(host) ?? new Set()
    if (open.has(socket)) return
    open.add(socket)
    this.#sockets.set(host, open)
    socket.once('close', () => {
      open.delete(socket)
      if (open.size === 0 && this.#sockets.get(host) === open) this.#sockets.delete(host)
    })
  }

  /** @throws Refusal rate when this connection came after the last that is allowed */
  admit(host: HostName, socket: Socket): void {
    this.note(host, socket)
    const open = [...(this.#sockets.get(host) ?? [])]
    if (open.indexOf(socket) >= this.#limit)
      throw new Refusal('rate', `this host has ${open.length} connections open`, {
        retry_after_s: 10,
      })
  }
}
