/**
 * The connections of one listener, so that there are never more than the process has files for. Where they are scarce, answers close them;
 * at the limit the one that has been idle for longest makes way; and who comes when nobody is idle is told to come back later.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Connections beyond the limit that are answered with a refusal; more are closed unheard. */
export function standingRoom(most: number): number {
  return Math.max(16, Math.ceil(most / 8))
}

export class Connections {
  readonly most: number
  #open = 0
  /** Answered and waiting for another request, the longest first. */
  readonly #idle = new Set<Socket>()
  readonly #standing = new WeakSet<Socket>()

  constructor(most: number) {
    this.most = most
  }

  get open(): number {
    return this.#open
  }

  opened(socket: Socket): void {
    this.#open += 1
    socket.once('close', () => {
      this.#open -= 1
      this.#idle.delete(socket)
    })
    if (this.#open > this.most && !this.#closeIdlest()) this.#standing.add(socket)
  }

  /** Whether a request of this connection is served. It is not idle before its answer is out. */
  serves(socket: Socket, response: ServerResponse): boolean {
    this.#idle.delete(socket)
    if (this.#standing.has(socket)) {
      if (this.#open > this.most) return false
      this.#standing.delete(socket)
    }
    // From here on who comes now and then need not keep a place in between: it comes back with its session.
    if (this.#open > this.most - this.most / 8) response.shouldKeepAlive = false
    response.once('close', () => {
      if (!socket.destroyed && response.shouldKeepAlive) this.#idle.add(socket)
    })
    return true
  }

  /** It counts as gone at once: its `close` comes in a later turn of the loop. */
  #closeIdlest(): boolean {
    const [idlest] = this.#idle
    if (idlest === undefined) return false
    this.#idle.delete(idlest)
    idlest.destroy()
    return true
  }
}
