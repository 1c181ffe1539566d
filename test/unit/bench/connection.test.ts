import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createSecureContext, createServer } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { Connection } from '../../../bench/load/connection.ts'
import { makePki } from '../../support/pki.ts'
import { scratchDir } from '../../support/scratch.ts'

/** Answers each request with what comes next; `reset` is how a killed server ends a connection. */
async function openTo(answers: readonly string[]): Promise<Connection> {
  const pki = await makePki(scratchDir())
  // TLS sockets cannot be reset, the connection below them can.
  let below: Socket | undefined
  const server = createServer({ cert: pki.server.certPem, key: pki.server.keyPem }, (socket) => {
    const left = [...answers]
    socket.on('error', () => undefined)
    socket.on('data', () => {
      const next = left.shift() ?? ''
      if (next === 'reset') below?.resetAndDestroy()
      else socket.write(next)
    })
  })
  server.on('connection', (socket: Socket) => (below = socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connection = await Connection.open({ port, secureContext: createSecureContext({ ca: pki.authority.certPem }) })
  onTestFinished(() => {
    connection.close()
    server.close()
  })
  return connection
}

test('answers are read whole: with a length, in chunks, and without a body', async () => {
  const connection = await openTo([
    'HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
  ])
  for (const status of [201, 200, 204]) expect(await connection.ask(['x'])).toBe(status)
})

test('a connection that is reset has ended, and is no fault of the load program', async () => {
  const connection = await openTo(['HTTP/1.1 204 No Content\r\n\r\n', 'reset'])
  expect(await connection.ask(['x'])).toBe(204)
  connection.socket.write('x')
  await connection.closed
  const again = await openTo(['reset'])
  await expect(again.ask(['x'])).rejects.toThrow(/ECONNRESET|closed/)
})
