/** A client of the receiver in the same process, over plain HTTP on loopback. */
import { Agent, request } from 'node:http'
import { parseObject } from '@cis490/shared/jsonl.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Record<string, unknown>
}

export interface Question {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Uint8Array | undefined
}

export const clientHost = 'lab-07'

export class Client implements Disposable {
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true })

  constructor(url: string) {
    this.#url = url
  }

  ask({ method, path, headers = {}, body }: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'Content-Length': body.length }
      const asking = request(
        new URL(path, this.#url),
        { method, agent: this.#agent, headers: { 'X-Cis490-Host': clientHost, ...length, ...headers } },
        (answer) => {
          const parts: Buffer[] = []
          answer.on('data', (part: Buffer) => parts.push(part))
          answer.on('error', reject)
          answer.on('end', () => {
            const text = Buffer.concat(parts).toString('utf8')
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: parseObject(text) ?? {} })
          })
        },
      )
      asking.on('error', reject)
      asking.end(body)
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}
