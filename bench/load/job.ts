/** What the load program is told, and the requests that follow. */
import { createHash, randomBytes } from 'node:crypto'
import { archiveHead, archiveRest } from './archive.ts'

export interface LoadJob {
  readonly kind: 'episode' | 'report'
  readonly port: number
  readonly ca: string
  /** Connections take them in turn. */
  readonly identities: readonly { readonly host: string; readonly cert: string; readonly key: string }[]
  readonly connections: number
  readonly requests: number
  /** About so many in a body. */
  readonly bytes: number
  /** Ids begin with it: no two runs share one. */
  readonly prefix: string
  readonly commit: string
}

export interface LoadResult {
  readonly seconds: number
  /** Of the load program itself. */
  readonly cpu_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** Requests by status, where it was neither 201 nor 204. */
  readonly refusals: Readonly<Record<string, number>>
}

type Request = readonly (string | Uint8Array)[]

/** Everything that costs is made before the first request is asked for. */
export function requestsOf(job: LoadJob): (number: number, host: string) => Request {
  return job.kind === 'episode' ? episodes(job) : reports(job)
}

function episodes({ prefix, commit, bytes, requests }: LoadJob): (number: number) => Request {
  const rest = Buffer.concat([...archiveRest(bytes)])
  const all = Array.from({ length: requests }, (_, k): Request => {
    const id = `${prefix}-${k.toString().padStart(6, '0')}`
    const head = archiveHead(id, commit, bytes)
    const sha256 = createHash('sha256').update(head).update(rest).digest('hex')
    const lines = [
      `PUT /v1/episodes/${id}.tar.zst HTTP/1.1`,
      'Host: localhost',
      'Content-Type: application/zstd',
      `Content-Length: ${head.length + rest.length}`,
      `X-Content-SHA256: ${sha256}`,
      `X-Cis490-Code-Commit: ${commit}`,
    ]
    return [`${lines.join('\r\n')}\r\n\r\n`, head, rest]
  })
  return (number) => all[number] as Request
}

function reports({ prefix, bytes }: LoadJob): (number: number, host: string) => Request {
  const detail = randomBytes(Math.ceil(bytes / 2)).toString('hex')
  return (number, host) => {
    const body = JSON.stringify({ host, epoch: prefix, sequence: number + 1, detail: detail.slice(0, bytes - 100) })
    const head = `PUT /v1/host-health/${host} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    return [head + body]
  }
}
