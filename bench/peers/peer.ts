/** A server that takes uploads over mutual TLS: ours, or one that it is compared with. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CertificateFiles } from '../../scripts/local-fleet/certificates.ts'
import type { Child, Children } from '../../scripts/local-fleet/children.ts'
import type { History } from '../../scripts/local-fleet/history.ts'
import type { Candidate } from '../frame/bench.ts'

export interface PeerPlace {
  readonly children: Children
  /** For this server alone. */
  readonly dir: string
  readonly certificates: CertificateFiles
  readonly history: History
}

export interface RunningPeer {
  readonly name: string
  readonly port: number
  /** Roots of all its processes. */
  readonly pids: readonly number[]
  /** Below this it keeps what it was sent. */
  readonly store: string
  readonly upload: 'put' | 'tus'
  /** Resolves when none of its processes is there any more. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface Peer extends Candidate {
  start(place: PeerPlace): Promise<RunningPeer>
}

const startMs = 20_000

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** @throws Error when the program ends or does not take connections within 20 s */
export async function untilItListens(child: Child, port: number): Promise<void> {
  let over: number | string | undefined
  void child.ended.then((ending) => (over = ending))
  for (const deadline = performance.now() + startMs; performance.now() < deadline; await sleep(20)) {
    if (over !== undefined)
      throw new Error(`${child.name} ended with ${over}: ${[...child.stderr, ...child.stdout].slice(-3).join(' | ')}`)
    const socket = connect(port, '127.0.0.1')
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
  }
  throw new Error(`${child.name} does not listen on port ${port}`)
}

/** Ends the programs of a server. */
export function stopper(...children: readonly Child[]): RunningPeer['stop'] {
  return async (signal = 'SIGINT') => {
    for (const child of children) {
      const over = await Promise.race([child.ended, Promise.resolve(undefined)])
      if (over === undefined) process.kill(child.pid, signal)
      await child.ended
    }
  }
}
