/** @tus/server with its FileStore behind Node's TLS, as its documentation shows it: neither hash nor fsync. */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'

const [port = '', store = '', ca = '', cert = '', key = '', folder = ''] = process.argv.slice(2)
const load = createRequire(`${folder}/`)

interface Tus {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
}
const { Server } = load('@tus/server') as { Server: new (options: object) => Tus }
const { FileStore } = load('@tus/file-store') as { FileStore: new (options: object) => object }

const tus = new Server({ path: '/v1/episodes', datastore: new FileStore({ directory: store }) })
const files = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
createServer({ ...files, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' }, (request, response) => {
  tus.handle(request, response).catch(() => response.writeHead(500).end())
}).listen(Number(port), '127.0.0.1')
