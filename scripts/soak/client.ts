/** A raw client: one kept-alive connection after the other through the proxy, one request after the other on each. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { IssuedFiles, Pki } from '../../test/support/pki.ts'
import { requestHead, Wire, type WireAnswer } from '../../test/support/wire.ts'
import type { History, Outcome, Put } from './history.ts'
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
}

/** Longer than what the receiver's idle_timeout lets pass. */
const patienceMs = 2500
const reconnectMs = 20
/** One request in so many only looks. */
const readEvery = 20

/** Sends until the signal; what runs then is ended. */
export async function runClient(options: ClientOptions): Promise<void> {
  const { signal } = options
  for (let turn = 0; !signal.aborted; ) {
    const enough = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
    const wire = await Wire.connect({ url: options.url, pki: options.pki }, options.identity, enough).catch(() => undefined)
    if (!wire) {
      await sleep(reconnectMs)
      continue
    }
    using _ = wire
    const stop = () => wire.socket.destroy()
    signal.addEventListener('abort', stop)
    while (!signal.aborted && wire.open) {
      const known = ++turn % readEvery === 0 ? options.workload.known() : undefined
      if (known !== undefined) await look(wire, known, options)
      else await put(wire, options.workload.next(), options)
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

/** @returns undefined when the connection ends first; it is of no more use then */
async function exchange(wire: Wire, bytes: string | Buffer, method: string): Promise<WireAnswer | undefined> {
  const late = setTimeout(() => wire.socket.destroy(), patienceMs)
  try {
    await wire.write(bytes)
    const answer = await wire.answer(method)
    if (answer.headers['connection'] === 'close') wire.socket.destroy()
    return answer
  } catch {
    wire.socket.destroy()
    return undefined
  } finally {
    clearTimeout(late)
  }
}

/** What an answer proves. A 5xx may come after the point of no return, but for those that are given before the body. */
export function read(answer: WireAnswer | undefined): Pick<Put, 'outcome' | 'status' | 'code' | 'receipt' | 'stored'> {
  if (!answer) return { outcome: 'info' }
  const { status } = answer
  const text = answer.body.toString()
  if (status === 200 || status === 201) return { outcome: 'ok', status, receipt: text }
  const problem = parseObject(text)
  const code = String(problem?.['code'] ?? '')
  const outcome: Outcome = status >= 500 && code !== 'overloaded' && code !== 'gate-unavailable' ? 'info' : 'fail'
  const stored = problem?.['stored_sha256']
  return { outcome, status, code, ...(typeof stored === 'string' && { stored }) }
}
