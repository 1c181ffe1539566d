/** One kept-alive connection that sends ready-made requests: as little work as possible, because the server shares the machine. */
import { once } from 'node:events'
import { connect, type SecureContext, type TLSSocket } from 'node:tls'

export interface ConnectTo {
  readonly port: number
  /** Authority, certificate and key; made once, because reading keys costs more than a handshake. */
  readonly secureContext: SecureContext
  readonly session?: Buffer | undefined
}

export class Connection {
  readonly socket: TLSSocket
  /** Resolves when it has ended, in whatever way. */
  readonly closed: Promise<void>
  #answered: ((status: number) => void) | undefined
  #broken: ((error: Error) => void) | undefined
  #received = ''

  private constructor(socket: TLSSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) => void socket.once('close', () => resolve()))
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#take(text))
    socket.on('error', (error) => this.#broken?.(error))
    socket.on('close', () => this.#broken?.(new Error('the server closed the connection')))
  }

  static async open({ port, secureContext, session }: ConnectTo): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', secureContext, ...(session && { session }) })
    await once(socket, 'secureConnect').catch((error: unknown) => {
      socket.on('error', () => undefined).destroy()
      throw error
    })
    return new Connection(socket)
  }

  /** @returns the status. Rejects when the connection ends first */
  ask(parts: readonly (string | Uint8Array)[]): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#broken = reject
      this.socket.cork()
      for (const part of parts) this.socket.write(part)
      this.socket.uncork()
    })
  }

  close(): void {
    this.socket.destroy()
  }

  #take(text: string): void {
    this.#received += text
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.#received.slice(0, end)
    const status = Number(head.slice(9, 12))
    const length = Number(/\r\ncontent-length:\s*(\d+)/i.exec(head)?.[1] ?? 0)
    const chunked = status !== 204 && /\r\ntransfer-encoding:\s*chunked/i.test(head)
    const whole = chunked
      ? this.#received.endsWith('0\r\n\r\n') && this.#received.length > end + 4
      : this.#received.length >= end + 4 + length
    if (!whole) return
    this.#received = ''
    const answered = this.#answered
    this.#answered = undefined
    this.#broken = undefined
    answered?.(status)
  }
}
