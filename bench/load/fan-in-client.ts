/** Many hosts in one process: they connect, or sit idle, or come back all at once. Says "ready" and its result on stdout; stdin ends it. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { Connection } from './connection.ts'
import type { FanInJob, HandshakesResult, HerdResult } from './fan-in-job.ts'

const job = JSON.parse(process.argv[2] ?? '') as FanInJob

interface Host {
  readonly name: string
  readonly secureContext: SecureContext
}

const ca = readFileSync(job.ca)
const hosts = job.identities.map(({ host, cert, key }): Host => {
  return { name: host, secureContext: createSecureContext({ ca, cert: readFileSync(cert), key: readFileSync(key) }) }
})
const hostOf = (k: number) => hosts[k % hosts.length] as Host

const question = 'GET /v1/receipt-keys HTTP/1.1\r\nHost: localhost\r\n\r\n'
const beat = '{"agent_version":"bench","disk_free_bytes":1000000000}'
const heartbeat = ({ name }: Host) =>
  `POST /v1/hosts/${name}/heartbeat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${beat.length}\r\n\r\n${beat}`

function open({ secureContext }: Host, session?: Buffer): Promise<Connection> {
  return Connection.open({ port: job.port, secureContext, session })
}

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** A new connection for each request; with `resume` each of the parallel ones brings the ticket of the one before. */
async function handshakes({ count, parallel, resume }: Extract<FanInJob, { do: 'handshakes' }>): Promise<HandshakesResult> {
  let [next, resumed] = [0, 0]
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: parallel }, async (_, k) => {
      let ticket: Buffer | undefined
      while (next++ < count) {
        const wire = await open(hostOf(k), ticket)
        if (wire.socket.isSessionReused()) resumed += 1
        if (resume) wire.socket.once('session', (session: Buffer) => (ticket = session))
        const status = await wire.ask([question])
        if (status !== 200) throw new Error(`answered with ${status}`)
        wire.close()
      }
    }),
  )
  return { seconds: (performance.now() - begun) / 1000, resumed }
}

/** So many at a time, or the server's queue overflows before anything is measured. */
async function connectAll(count: number, ask: (host: Host) => string, wanted: number): Promise<Connection[]> {
  const all: Connection[] = []
  let next = 0
  const some = Array.from({ length: Math.min(count, 32) }, async () => {
    for (let k = next++; k < count; k = next++) {
      const wire = await open(hostOf(k))
      const status = await wire.ask([ask(hostOf(k))])
      if (status !== wanted) throw new Error(`connection ${k} was answered with ${status}`)
      all.push(wire)
    }
  })
  await Promise.all(some)
  const closed = all.filter(({ socket }) => socket.destroyed).length
  if (closed > 0) throw new Error(`${closed} of ${count} connections were closed while the others were made`)
  return all
}

/** Every host that loses its connection is back at once, and again after a moment, until it is heard. */
async function herd({ count, patience_s }: Extract<FanInJob, { do: 'herd' }>): Promise<HerdResult> {
  const all = await connectAll(count, heartbeat, 204)
  say('ready')
  const served_at: number[] = []
  let attempts_failed = 0
  const back = async (wire: Connection, k: number) => {
    await wire.closed
    for (const deadline = performance.now() + patience_s * 1000; performance.now() < deadline; ) {
      const next = await open(hostOf(k)).catch(() => undefined)
      const status = await next?.ask([heartbeat(hostOf(k))]).catch(() => undefined)
      if (status === 204) return void served_at.push(Date.now())
      attempts_failed += 1
      next?.close()
      await sleep(50 + Math.random() * 200)
    }
  }
  await Promise.all(all.map(back))
  return { served_at, lost: count - served_at.length, attempts_failed }
}

if (job.do === 'handshakes') say(await handshakes(job))
else if (job.do === 'herd') say(await herd(job))
else {
  await connectAll(job.count, () => question, 200)
  say('ready')
  process.stdin.resume()
  await once(process.stdin, 'end')
}
process.exit(0)
