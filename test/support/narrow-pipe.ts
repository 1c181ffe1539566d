/** A TCP relay that stops taking bytes from the client after a number of them, until it is opened: a transfer stands still half way, without a clock. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class NarrowPipe implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #full = Promise.withResolvers<void>()
  /** Resolves when a connection has carried the bytes and stands still. */
  readonly full = this.#full.promise
  #limit: number

  private constructor(port: number, limit: number) {
    this.#limit = limit
    this.#server = createServer((client) => {
      const upstream = connect(port, '127.0.0.1')
      let carried = 0
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket)
        socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
      }
      client.on('data', (bytes) => {
        carried += bytes.length
        upstream.write(bytes)
        if (carried < this.#limit) return
        client.pause()
        this.#full.resolve()
      })
      client.on('close', () => upstream.destroy())
      upstream.on('close', () => client.destroy())
      upstream.pipe(client)
    })
  }

  static async open(target: string, limit: number): Promise<NarrowPipe> {
    const pipe = new NarrowPipe(Number(new URL(target).port), limit)
    pipe.#server.listen(0, '127.0.0.1')
    await once(pipe.#server, 'listening')
    return pipe
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From now on everything passes; what stood still is cut, for its sender may be gone. */
  widen(): void {
    this.#limit = Number.POSITIVE_INFINITY
    for (const socket of this.#sockets) if (socket.isPaused()) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
