/** A TCP proxy that does to each connection what a plan says. TLS passes through untouched, so a plan counts bytes of the wire. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Lane } from './chaos-lane.ts'

/** `up` is from the client to the receiver. */
export type Direction = 'up' | 'down'

export type Act =
  /** Ends the connection on both sides, politely: FIN. */
  | { readonly do: 'cut' }
  /** Ends it on both sides with RST; bytes that nobody has read yet may be lost. */
  | { readonly do: 'reset' }
  /** Ends one direction (FIN); the other one lives. */
  | { readonly do: 'half-close'; readonly side: Direction }
  /** Nothing passes any more until `release`, and nothing is read: the sender feels the back pressure. */
  | { readonly do: 'stall'; readonly side: Direction }
  /** Reads on and throws away: an answer that gets lost. */
  | { readonly do: 'swallow'; readonly side: Direction }
  /** A few bytes at a time. */
  | { readonly do: 'trickle'; readonly side: Direction; readonly bytes: number; readonly everyMs: number }

/** Happens once, when exactly `after` bytes have passed in direction `on`; 0: at once. */
export type Fault = Act & { readonly on: Direction; readonly after: number }

export interface Plan {
  /** Before the receiver is called at all. */
  readonly delayMs?: number
  readonly faults?: readonly Fault[]
}

/** @param connection counts from 0 */
export type Planner = (connection: number) => Plan

interface Joined {
  readonly client: Socket
  readonly upstream: Socket
  readonly lanes: Readonly<Record<Direction, Lane>>
}

export const calm: Planner = () => ({})

export class ChaosProxy implements AsyncDisposable {
  /** Decides over connections to come. */
  plan: Planner
  /** Bytes that were handed on, over all connections. */
  readonly carried = { up: 0, down: 0 }
  /** How often each act was done. */
  readonly done: Record<Act['do'], number> = { cut: 0, reset: 0, 'half-close': 0, stall: 0, swallow: 0, trickle: 0 }
  connections = 0
  readonly #server: Server
  readonly #joined = new Set<Joined>()
  readonly #sockets = new Set<Socket>()
  #target: { hostname: string; port: number; protocol: string }

  private constructor(target: string, plan: Planner) {
    this.plan = plan
    this.#target = partsOf(target)
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.#serve(client))
  }

  /** @param target URL of the receiver; a name resolves to 127.0.0.1 */
  static async open(target: string, plan: Planner = calm): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(target, plan)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `${this.#target.protocol}//127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections to come go to another receiver, for instance the same one after a restart on another port. */
  aimAt(target: string): void {
    this.#target = partsOf(target)
  }

  /** Everything that stalls goes on. */
  release(): void {
    for (const { lanes } of this.#joined) for (const lane of Object.values(lanes)) lane.release()
  }

  /** Does this to every connection that is open, now. */
  actOnAll(act: Act): void {
    for (const joined of this.#joined) this.#act(act, joined)
  }

  /** Ends every connection with RST. */
  resetAll(): void {
    this.actOnAll({ do: 'reset' })
    // Those that wait for their receiver yet.
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(client: Socket): void {
    const plan = this.plan(this.connections++)
    this.#watch(client)
    const start = () => {
      if (client.destroyed) return
      const upstream = connect({ port: this.#target.port, host: '127.0.0.1', allowHalfOpen: true })
      this.#watch(upstream)
      this.#join(client, upstream, plan.faults ?? [])
    }
    if (plan.delayMs) setTimeout(start, plan.delayMs).unref()
    else start()
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    // A side that breaks is an outcome: the other one hears of it by the close.
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
  }

  #join(client: Socket, upstream: Socket, faults: readonly Fault[]): void {
    const lanes = {} as Record<Direction, Lane>
    const joined: Joined = { client, upstream, lanes }
    this.#joined.add(joined)
    const open = (direction: Direction, from: Socket, to: Socket) => {
      const own = faults.filter(({ on }) => on === direction).sort((a, b) => a.after - b.after)
      lanes[direction] = new Lane(from, to, {
        marks: own.map(({ after }) => after),
        passed: (bytes) => {
          this.carried[direction] += bytes
        },
        reached: (mark) => this.#act(own[mark] as Fault, joined),
      })
    }
    open('up', client, upstream)
    open('down', upstream, client)
    client.on('close', () => upstream.destroy())
    upstream.on('close', (broken) => {
      this.#joined.delete(joined)
      if (broken && !client.destroyed) client.resetAndDestroy()
      else client.destroySoon()
    })
    lanes.up.start()
    lanes.down.start()
  }

  #act(act: Act, { client, upstream, lanes }: Joined): void {
    this.done[act.do] += 1
    if (act.do === 'cut') for (const socket of [client, upstream]) socket.destroySoon()
    else if (act.do === 'reset') for (const socket of [client, upstream]) socket.resetAndDestroy()
    else if (act.do === 'half-close') lanes[act.side].end()
    else if (act.do === 'stall') lanes[act.side].stall()
    else if (act.do === 'swallow') lanes[act.side].swallow()
    else lanes[act.side].trickle(act.bytes, act.everyMs)
  }
}

function partsOf(target: string): { hostname: string; port: number; protocol: string } {
  const { hostname, port, protocol } = new URL(target)
  return { hostname, port: Number(port), protocol }
}
