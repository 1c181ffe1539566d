/** A raw client: one kept-alive connection after the other through the proxy, one request after the other on each. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { IssuedFiles, Pki } from '../../test/support/pki.ts'
import { requestHead, Wire } from '../../test/support/wire.ts'
import { exchange, patienceMs, read } from './exchange.ts'
import type { History } from './history.ts'
import { ResumedUpload } from './resumed-upload.ts'
import type { Wish, Workload } from './workload.ts'

export interface ClientOptions {
  readonly name: string
  readonly host: string
  readonly url: string
  readonly pki: Pki
  readonly identity: IssuedFiles
  readonly workload: Workload
  readonly history: History
  readonly signal: AbortSignal
  /** Resolves while a receiver listens. */
  up(): Promise<void>
}

const reconnectMs = 20
/** Nobody told it that the receiver is down: now and then it tries. */
const tryAnywayMs = 500
/** One request in so many only looks. */
const readEvery = 20

/** Sends until the signal; what runs then is ended. */
export async function runClient(options: ClientOptions): Promise<void> {
  const { signal } = options
  let unfinished: ResumedUpload | undefined
  for (let turn = 0; !signal.aborted; ) {
    const enough = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
    const wire = await Wire.connect({ url: options.url, pki: options.pki }, options.identity, enough).catch(() => undefined)
    if (!wire) {
      await Promise.race([Promise.all([options.up(), sleep(reconnectMs)]), sleep(tryAnywayMs)])
      continue
    }
    using _ = wire
    const stop = () => wire.socket.destroy()
    signal.addEventListener('abort', stop)
    while (!signal.aborted && wire.open) {
      const known = ++turn % readEvery === 0 ? options.workload.known() : undefined
      if (unfinished) unfinished = (await unfinished.goOn(wire)) ? undefined : unfinished
      else if (known !== undefined) await look(wire, known, options)
      else {
        const wish = options.workload.next()
        if (wish.kind === 'resumable') unfinished = new ResumedUpload(wish, options)
        else await put(wire, wish, options)
      }
    }
    signal.removeEventListener('abort', stop)
  }
}

async function put(wire: Wire, wish: Wish, options: ClientOptions): Promise<void> {
  const { history, host, name } = options
  const { id, kind, sha256, commit } = wish
  const record = history.begin({ client: name, host, id, kind, sha256, commit })
  const head = requestHead('PUT', `/v1/episodes/${id}.tar.zst`, {
    'Content-Type': 'application/zstd',
    'Content-Length': wish.body.length,
    'X-Content-SHA256': sha256,
    'X-Cis490-Code-Commit': commit,
  })
  const answer = await exchange(wire, Buffer.concat([Buffer.from(head, 'latin1'), wish.body]), 'PUT')
  const how = read(answer)
  history.end(record, how)
  options.workload.learn(wish, how.outcome)
}

async function look(wire: Wire, id: string, { history, name, host }: ClientOptions): Promise<void> {
  const began = history.now()
  const answer = await exchange(wire, requestHead('HEAD', `/v1/episodes/${id}.tar.zst`), 'HEAD')
  if (!answer) return
  const sha256 = /sha256-([0-9a-f]{64})/.exec(answer.headers['etag'] ?? '')?.[1]
  history.reads.push({ client: name, host, id, began, status: answer.status, sha256 })
}
