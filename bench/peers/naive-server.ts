/** The textbook idiom: a transform that hashes between the request and a file. Durable like ours otherwise; no gate, no sidecar. */
import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream, readFileSync } from 'node:fs'
import { appendFile, open, rename } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const [port = '', store = '', ca = '', cert = '', key = ''] = process.argv.slice(2)

async function receive(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha256')
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk)
      next(null, chunk)
    },
  })
  const part = join(store, `${randomUUID()}.part`)
  await pipeline(request, hashing, createWriteStream(part, { flush: true }))
  await rename(part, join(store, (request.url ?? '').replaceAll('/', '_')))
  const folder = await open(store)
  await folder.sync()
  await folder.close()
  const sha256 = hash.digest('hex')
  await appendFile(join(store, 'index.jsonl'), `${JSON.stringify({ url: request.url, sha256 })}\n`, { flush: true })
  return sha256
}

const files = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
createServer({ ...files, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' }, (request, response) => {
  receive(request).then(
    (sha256) => response.writeHead(sha256 === request.headers['x-content-sha256'] ? 201 : 422).end(),
    () => response.writeHead(500).end(),
  )
}).listen(Number(port), '127.0.0.1')
